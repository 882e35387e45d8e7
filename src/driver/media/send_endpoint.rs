//! (being built; placeholder so that messages compile)

/// (being built)
pub(crate) struct SendEndpoint<T> {
    transport: T,
}
