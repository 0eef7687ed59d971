//! Takes connections and answers on each, within limits that no client can change.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::proxies::Proxies;
use super::slots::{Connection, Most, Slot, Slots};
use super::tls::Tls;
use crate::error::{Error, Result};

/// How long a client may take to shake hands, for the head of a request, and between two pieces of a body; and how long a connection may ask
/// for nothing.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The largest head of a request, in bytes.
pub(super) const HEAD: usize = 64 * 1024;

/// The most headers of a request.
pub(super) const HEADERS: usize = 100;

/// How long a connection is kept. After that it ends with the next answer, so that who reads slowly holds nothing for ever.
const KEPT_FOR: Duration = Duration::from_mins(10);

/// How long an answer that is being written may take when a connection is to end: as long as a platform may take, and a little more.
const LAST_ANSWER: Duration = Duration::from_secs(90);

/// How long to wait when the system gives no connection, as when all its files are in use.
const PAUSE: Duration = Duration::from_millis(500);

/// The address of whoever is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// What is listened on, and for whom.
pub(super) struct Door {
    pub(super) listener: TcpListener,
    pub(super) tls: Option<Tls>,
    pub(super) proxies: Proxies,
    pub(super) most: Most,
    pub(super) patience: Duration,
}

/// A door that is open.
pub(super) struct Open {
    pub(super) address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// What each connection is made with.
struct Each {
    router: Router,
    patience: Duration,
    stop: CancellationToken,
}

impl Door {
    /// Answers whoever comes.
    ///
    /// # Errors
    /// When the system does not say where it listens.
    pub(super) fn open(self, router: Router) -> Result<Open> {
        let address = self.listener.local_addr().map_err(|error| Error::Machine(format!("no address: {error}")))?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let each = Arc::new(Each { router, patience: self.patience, stop: stop.clone() });
        let (stopped, within) = (stop.clone(), tasks.clone());
        tasks.spawn(async move { stopped.run_until_cancelled(self.answer(&each, &within)).await });
        Ok(Open { address, stop, tasks })
    }

    async fn answer(&self, each: &Arc<Each>, tasks: &TaskTracker) {
        let slots = Slots::new(self.most);
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => self.let_in(stream, peer.ip(), &slots, each, tasks),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Who is not let in is told nothing: his connection ends.
    fn let_in(&self, stream: TcpStream, peer: IpAddr, slots: &Arc<Slots>, each: &Arc<Each>, tasks: &TaskTracker) {
        if !self.proxies.admit(peer) {
            tracing::debug!(%peer, "a connection past the trusted proxies was refused");
            return;
        }
        // A proxy asks for many.
        let counted = (!self.proxies.hold(peer)).then(|| peer.to_canonical());
        let Some(slot) = slots.take(counted) else {
            tracing::warn!(%peer, "a connection was refused: there are too many");
            return;
        };
        // An answer goes out whole, so there is nothing to wait for.
        let _ = stream.set_nodelay(true);
        let (each, acceptor) = (Arc::clone(each), self.tls.as_ref().map(Tls::acceptor));
        tasks.spawn(async move {
            let end = slot.connection.end.clone();
            let served = async {
                match acceptor {
                    None => each.serve(stream, peer, slot).await,
                    Some(acceptor) => {
                        if let Ok(Ok(stream)) = tokio::time::timeout(each.patience, acceptor.accept(stream)).await {
                            each.serve(stream, peer, slot).await;
                        }
                    }
                }
            };
            end.run_until_cancelled(served).await;
        });
    }
}

impl Each {
    async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin, peer: IpAddr, slot: Slot) {
        let router = TowerToHyperService::new(self.router.clone());
        let answer = service_fn(|mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            in_turn(Arc::clone(&slot.connection), router.call(request))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.patience)
            .max_header_size(HEAD)
            .max_buf_size(2 * HEAD)
            .max_headers(HEADERS)
            .serve_connection(TokioIo::new(stream), answer);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(KEPT_FOR) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(LAST_ANSWER, connection).await;
    }
}

/// Answers, and says so meanwhile.
async fn in_turn(
    connection: Arc<Connection>,
    answer: impl Future<Output = Result<Response, Infallible>>,
) -> Result<Response, io::Error> {
    connection.busy(true);
    let answer = answer.await;
    connection.busy(false);
    answer.map_err(|never| match never {})
}

impl Open {
    /// Takes nobody in any more, and lets answers under way go out for so long.
    pub(super) async fn close(self, within: Duration) {
        self.stop.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(within, self.tasks.wait()).await;
    }
}
