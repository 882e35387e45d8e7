//! quinn, a QUIC implementation: reliable, ordered, encrypted streams over UDP.
//!
//! Two threads with a single-threaded tokio runtime each, as its users run it; it waits for sockets
//! in the kernel instead of spinning, and it encrypts, which no other system here does.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use quinn::{
    ClientConfig, Endpoint, RecvStream, SendStream, ServerConfig, TransportConfig, VarInt,
};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::Failure;
use crate::figures::Latencies;
use crate::floor::pair;
use crate::settings::{Settings, bytes as parse_bytes};
use crate::work::stage::{Stage, Watch};
use crate::work::{Rate, RoundTrips};

/// Most bytes taken from a stream at once.
const CHUNK_MAX: usize = 1 << 20;
/// What the certificate is made out to.
const NAME: &str = "localhost";

/// Where the server listens, and its certificate.
type Server = (SocketAddr, CertificateDer<'static>);

fn transport(settings: &Settings) -> Result<Arc<TransportConfig>, Failure> {
    let window = parse_bytes(&settings.window)?;
    let mut transport = TransportConfig::default();
    transport
        .initial_mtu(u16::try_from(parse_bytes(&settings.mtu)?)?)
        .mtu_discovery_config(None)
        .stream_receive_window(VarInt::try_from(window as u64)?)
        .receive_window(VarInt::try_from(window as u64)?)
        .send_window(window as u64);
    Ok(Arc::new(transport))
}

fn serve(settings: &Settings) -> Result<(Endpoint, Server), Failure> {
    let certified = rcgen::generate_simple_self_signed(vec![NAME.to_owned()])?;
    let certificate = CertificateDer::from(certified.cert);
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let mut config = ServerConfig::with_single_cert(vec![certificate.clone()], key.into())?;
    config.transport_config(transport(settings)?);
    let endpoint = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into())?;
    let address = endpoint.local_addr()?;
    Ok((endpoint, (address, certificate)))
}

fn client(settings: &Settings, certificate: CertificateDer<'static>) -> Result<Endpoint, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    let mut config = ClientConfig::with_root_certificates(Arc::new(roots))?;
    config.transport_config(transport(settings)?);
    let mut endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into())?;
    endpoint.set_default_client_config(config);
    Ok(endpoint)
}

fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(future)
}

/// Runs both sides over one connection with a stream in each direction.
fn run<P: Send, S: Send, PF, SF>(
    settings: &Settings,
    stage: &Stage,
    publish: impl FnOnce(SendStream, RecvStream) -> PF + Send,
    subscribe: impl FnOnce(SendStream, RecvStream) -> SF + Send,
) -> Result<(P, S), Failure>
where
    PF: Future<Output = Result<P, Failure>>,
    SF: Future<Output = Result<S, Failure>>,
{
    let (tell, told) = mpsc::channel::<Server>();
    let publisher = move || {
        let (address, certificate) = told.recv()?;
        block_on(async {
            let endpoint = client(settings, certificate)?;
            let connection = endpoint.connect(address, NAME)?.await?;
            let (mut send, recv) = connection.open_bi().await?;
            // The other side sees the stream with its first byte.
            send.write_all(&[0]).await?;
            stage.join();
            publish(send, recv).await
        })
    };
    let subscriber = move || {
        block_on(async {
            let (endpoint, server) = serve(settings)?;
            tell.send(server)?;
            let incoming = endpoint.accept().await.ok_or("the endpoint is closed")?;
            let connection = incoming.await?;
            let (send, mut recv) = connection.accept_bi().await?;
            recv.read_exact(&mut [0]).await?;
            stage.join();
            subscribe(send, recv).await
        })
    };
    pair::run(stage, settings.period()?, publisher, subscriber)
}

/// Messages of `length` bytes as fast as they go, one write for each.
pub(crate) fn flood(settings: &Settings, length: usize) -> Result<Rate, Failure> {
    let stage = Stage::new();
    let publish = async |mut send: SendStream, _: RecvStream| {
        let message = vec![0x5a; length];
        let mut watch = None;
        while !stage.is_over() {
            match send.write_all(&message).await {
                Ok(()) => {}
                Err(_) if stage.is_over() => break,
                Err(error) => return Err(error.into()),
            }
            if watch.is_none() && stage.is_measuring() {
                watch = Some(Watch::start());
            }
        }
        let watch = watch.ok_or("time was over before it began")?;
        Ok(watch.stop())
    };
    let subscribe = async |_: SendStream, mut recv: RecvStream| {
        let mut watch = None;
        let mut bytes = 0;
        while !stage.is_over() {
            match recv.read_chunk(CHUNK_MAX, true).await {
                Ok(Some(chunk)) => bytes += chunk.bytes.len() as u64,
                Ok(None) => break,
                Err(_) if stage.is_over() => break,
                Err(error) => return Err(error.into()),
            }
            if watch.is_none() && stage.is_measuring() {
                watch = Some((Watch::start(), bytes));
            }
        }
        let (watch, before) = watch.ok_or("time was over before it began")?;
        Ok((bytes - before, watch.stop()))
    };
    let (sender, (bytes, receiver)) = run(settings, &stage, publish, subscribe)?;
    Ok(Rate::new(bytes, length, receiver, sender))
}

/// Messages of `length` bytes there and back, one in flight.
pub(crate) fn round_trips(settings: &Settings, length: usize) -> Result<RoundTrips, Failure> {
    let stage = Stage::new();
    let ping = async |mut send: SendStream, mut recv: RecvStream| {
        let mut message = vec![0x5a; length];
        let mut latencies = Latencies::new()?;
        let mut watch = None;
        while !stage.is_over() {
            let start = Instant::now();
            let is_gone = send.write_all(&message).await.is_err()
                || recv.read_exact(&mut message).await.is_err();
            if is_gone {
                break;
            }
            if watch.is_none() && stage.is_measuring() {
                watch = Some(Watch::start());
                latencies.clear();
            }
            latencies.record(u64::try_from(start.elapsed().as_nanos())?);
        }
        let watch = watch.ok_or("time was over before it began")?;
        Ok((latencies, watch.stop()))
    };
    let pong = async |mut send: SendStream, mut recv: RecvStream| {
        let mut message = vec![0; length];
        let mut watch = None;
        while !stage.is_over() {
            let is_gone = recv.read_exact(&mut message).await.is_err()
                || send.write_all(&message).await.is_err();
            if is_gone {
                break;
            }
            if watch.is_none() && stage.is_measuring() {
                watch = Some(Watch::start());
            }
        }
        let watch = watch.ok_or("time was over before it began")?;
        Ok(watch.stop())
    };
    let ((latencies, one), other) = run(settings, &stage, ping, pong)?;
    Ok(RoundTrips {
        latencies,
        unsent: 0,
        stolen: f64::midpoint(one.stolen, other.stolen),
    })
}
