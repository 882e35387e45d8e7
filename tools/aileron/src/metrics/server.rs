//! The HTTP side: one thread that answers one request at a time.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tiny_http::{Header, Method, Request, Response, Server};

use super::page;
use crate::directory::Directory;
use crate::snapshot::Snapshot;

/// What a page says it is.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves the metrics of the driver in a directory, whichever driver that is at the time; stops
/// when dropped.
///
/// ```
/// use std::io::{Read as _, Write as _};
/// use aileron_cli::metrics::MetricsServer;
/// let driver = aileron::MediaDriver::launch_embedded(Default::default())?;
/// let server = MetricsServer::start(([127, 0, 0, 1], 0).into(), driver.directory())?;
/// let mut socket = std::net::TcpStream::connect(server.address())?;
/// socket.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
/// let mut page = String::new();
/// socket.read_to_string(&mut page)?;
/// assert!(page.contains("aileron_up 1\n") && page.ends_with("# EOF\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MetricsServer {
    address: SocketAddr,
    server: Handle,
    thread: Option<JoinHandle<()>>,
}

struct Handle(Arc<Server>);

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Server")
    }
}

/// Why metrics cannot be served.
///
/// ```
/// use aileron_cli::metrics::MetricsServer;
/// let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let error = MetricsServer::start(taken.local_addr()?, std::path::Path::new("/")).unwrap_err();
/// assert!(error.to_string().contains("cannot listen on 127.0.0.1:"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct ServeError {
    address: SocketAddr,
    text: String,
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot listen on {}: {}; name another address",
            self.address, self.text
        )
    }
}

impl std::error::Error for ServeError {}

impl MetricsServer {
    /// Serves `GET /metrics` on `address`; port 0 is any that is free.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn start(address: SocketAddr, directory: &Path) -> Result<Self, ServeError> {
        let failed = |text: String| ServeError { address, text };
        let server = Server::http(address).map_err(|error| failed(error.to_string()))?;
        let server = Arc::new(server);
        let bound = server.server_addr().to_ip().unwrap_or(address);
        let mut source = Source::new(directory);
        let serving = Arc::clone(&server);
        let thread = std::thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(move || {
                for request in serving.incoming_requests() {
                    answer(request, &mut source);
                }
            })
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            address: bound,
            server: Handle(server),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.server.0.unblock();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The driver that is asked about, opened when it is there.
struct Source {
    path: PathBuf,
    directory: Option<Directory>,
}

impl Source {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            directory: None,
        }
    }

    /// The page as of now. Without a driver it says just that.
    fn page(&mut self) -> Result<String, fmt::Error> {
        if self.directory.as_ref().is_none_or(Directory::is_replaced) {
            self.directory = Directory::open(&self.path, Duration::ZERO).ok();
        }
        match &self.directory {
            Some(directory) => page::render(&Snapshot::take(directory)),
            None => page::render_absent(),
        }
    }
}

fn answer(request: Request, source: &mut Source) {
    let path = request.url().split('?').next().unwrap_or_default();
    let response = match (request.method(), path) {
        (Method::Get | Method::Head, "/metrics") => match source.page() {
            Ok(page) => {
                let response = Response::from_string(page);
                match Header::from_bytes("Content-Type", CONTENT_TYPE) {
                    Ok(header) => response.with_header(header),
                    Err(()) => response,
                }
            }
            Err(_) => Response::from_string("cannot render\n").with_status_code(500),
        },
        (Method::Get | Method::Head, "/") => Response::from_string("the metrics are at /metrics\n"),
        (Method::Get | Method::Head, _) => {
            Response::from_string("not here; try /metrics\n").with_status_code(404)
        }
        _ => Response::from_string("only GET\n").with_status_code(405),
    };
    // Whoever asked may have gone; the next one is another.
    let _ = request.respond(response);
}
