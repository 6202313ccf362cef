//! `/metrics`, `/healthz` and `/readyz`, on a thread and a runtime of their own: they answer when the data path is
//! saturated, and while it drains.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::{Registry, TextEncoder};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::Semaphore;
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::config::Address;

/// Scrapers and probes are few; who holds this many connections open is not one.
const MAX_CONNECTIONS: usize = 64;
/// The head of a request must be complete within this.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection serves one request and ends within this.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// A head is a line and a few headers; the least that hyper takes.
const MAX_HEAD: usize = 8192;
/// After an accept failed (out of file descriptors, mostly) there is no hurry.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What is there to be asked for.
const PATHS: &str = "/metrics\n/healthz\n/readyz\n";

/// Says whether traffic should come here: `Err` has the reason, in plain words. Called from the HTTP thread; must not
/// block.
pub type Ready = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// The HTTP server. Dropping it stops it.
#[derive(Debug)]
pub struct HttpServer {
    local_addr: SocketAddr,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// Listens on `listen` (port 0: any free one) and serves from a thread of its own. A name is resolved, which may
    /// block.
    ///
    /// # Errors
    ///
    /// When the address cannot be resolved or bound, or the thread cannot be started.
    pub fn start(listen: &Address, registry: Registry, ready: Ready) -> io::Result<Self> {
        let listener = StdListener::bind((&*listen.host, listen.port))?;
        listener.set_nonblocking(true)?;
        let local_addr = listener.local_addr()?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let stop = CancellationToken::new();
        let told = stop.clone();
        let pages = Arc::new(Pages { registry, ready });
        let thread = thread::Builder::new().name("pointsman-http".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = told.cancelled() => {}
                    () = accept(listener, pages) => {}
                }
            });
        })?;
        Ok(Self { local_addr, stop, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Closes the listener and all connections, and waits for the thread: milliseconds, unless a scrape is being made.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the HTTP thread panicked");
        }
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.end();
    }
}

async fn accept(listener: TcpListener, pages: Arc<Pages>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        match listener.accept().await {
            // Without a slot the connection is closed at once: a queue would only hide it.
            Ok((stream, _)) => {
                if let Ok(slot) = Arc::clone(&slots).try_acquire_owned() {
                    let pages = Arc::clone(&pages);
                    tokio::spawn(async move {
                        serve(stream, pages).await;
                        drop(slot);
                    });
                }
            }
            Err(error) => {
                tracing::debug!(%error, "accept on http.listen failed");
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One connection, one request: a scrape every few seconds needs no keep-alive, and an idle connection would hold a slot.
async fn serve(stream: TcpStream, pages: Arc<Pages>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = pages.answer(&request);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .keep_alive(false)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    match time::timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a request on http.listen failed"),
    }
}

/// What is served.
struct Pages {
    registry: Registry,
    ready: Ready,
}

impl Pages {
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let page: fn(&Self) -> Response<Full<Bytes>> = match request.uri().path() {
            "/metrics" => Self::metrics,
            "/healthz" => |_| plain(StatusCode::OK, "ok\n"),
            "/readyz" => Self::readiness,
            _ => return plain(StatusCode::NOT_FOUND, format!("not found; there are:\n{PATHS}")),
        };
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            page(self)
        } else {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
            response
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        match TextEncoder::new().encode_to_string(&self.registry.gather()) {
            Ok(text) => {
                let mut response = plain(StatusCode::OK, text);
                let format = hyper::header::HeaderValue::from_static(prometheus::TEXT_FORMAT);
                response.headers_mut().insert(CONTENT_TYPE, format);
                response
            }
            Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("metrics cannot be written: {error}\n")),
        }
    }

    fn readiness(&self) -> Response<Full<Bytes>> {
        match (self.ready)() {
            Ok(()) => plain(StatusCode::OK, "ready\n"),
            Err(reason) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
        }
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
