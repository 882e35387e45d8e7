//! (being built; placeholder so that messages compile)

/// (being built)
pub(crate) struct ReceiveEndpoint<T> {
    transport: T,
}

/// (being built)
pub(crate) struct ReceiveTransport<T> {
    transport: T,
}
