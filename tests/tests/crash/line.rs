//! The line to the emulator: refreshes on it are lost or held as a test orders.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use connector_core::Secret;
use url::{Url, form_urlencoded};

/// What happens to one refresh on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// The platform never sees the request, and the line breaks.
    LoseRequest,
    /// The platform has answered when the line breaks.
    LoseAnswer,
    /// The request waits until the test lets it go on.
    HoldRequest,
    /// The answer waits until the test lets it go on.
    HoldAnswer,
}

/// A line that other processes send on.
pub(crate) struct Line {
    pub(crate) base: Url,
    shared: Arc<Shared>,
    held: Receiver<Held>,
}

/// A request or an answer that waits. Dropped, it never arrives, and the line breaks.
pub(crate) struct Held(Sender<()>);

struct Shared {
    to: SocketAddr,
    /// For the refresh with this token, or for any.
    deeds: Mutex<VecDeque<(Option<String>, Deed)>>,
    held: Sender<Held>,
}

/// A request as it came.
struct Asked {
    first: String,
    rest: String,
    body: Vec<u8>,
}

impl Line {
    pub(crate) fn to(emulator: &Url) -> Self {
        let to = emulator.socket_addrs(|| None).unwrap()[0];
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let base = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let (tell, held) = mpsc::channel();
        let shared = Arc::new(Shared { to, deeds: Mutex::default(), held: tell });
        let carrying = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&carrying);
                // Who goes away ends its own exchange alone.
                std::thread::spawn(move || drop(shared.carry(stream)));
            }
        });
        Self { base, shared, held }
    }

    /// This happens to so many refreshes, after those that were ordered before.
    pub(crate) fn order(&self, deed: Deed, times: usize) {
        self.shared.deeds.lock().unwrap().extend(std::iter::repeat_n((None, deed), times));
    }

    /// This happens to the next refresh with this token.
    pub(crate) fn order_for(&self, token: &Secret, deed: Deed) {
        self.shared.deeds.lock().unwrap().push_back((Some(token.expose().to_owned()), deed));
    }

    /// Waits for the next one that is held.
    pub(crate) fn held(&self) -> Held {
        self.held.recv_timeout(Duration::from_mins(1)).unwrap()
    }

    /// How many orders wait for a refresh.
    pub(crate) fn left(&self) -> usize {
        self.shared.deeds.lock().unwrap().len()
    }
}

impl Held {
    pub(crate) fn go_on(self) {
        // Who waited for it may be gone.
        let _ = self.0.send(());
    }
}

impl Shared {
    /// One request there, one answer back.
    fn carry(&self, mut from: TcpStream) -> std::io::Result<()> {
        let asked = Asked::read(&from)?;
        let deed = asked.refreshes_with().and_then(|token| self.next_for(&token));
        if deed == Some(Deed::LoseRequest) || deed == Some(Deed::HoldRequest) && !self.hold() {
            return Ok(());
        }
        let mut there = TcpStream::connect(self.to)?;
        there.write_all(format!("{}\r\nconnection: close\r\n{}", asked.first, asked.rest).as_bytes())?;
        there.write_all(&asked.body)?;
        let mut answer = Vec::new();
        there.read_to_end(&mut answer)?;
        if deed == Some(Deed::LoseAnswer) || deed == Some(Deed::HoldAnswer) && !self.hold() {
            return Ok(());
        }
        from.write_all(&answer)
    }

    fn next_for(&self, token: &str) -> Option<Deed> {
        let mut deeds = self.deeds.lock().unwrap();
        let next = deeds.iter().position(|(wanted, _)| wanted.as_ref().is_none_or(|wanted| wanted == token))?;
        deeds.remove(next).map(|(_, deed)| deed)
    }

    /// Waits for the test. False when it shall not go on.
    fn hold(&self) -> bool {
        let (go_on, told) = mpsc::channel();
        self.held.send(Held(go_on)).is_ok() && told.recv().is_ok()
    }
}

impl Asked {
    fn read(from: &TcpStream) -> std::io::Result<Self> {
        let mut reader = BufReader::new(from);
        let mut head = String::new();
        while reader.read_line(&mut head)? > 2 {}
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let mut body = vec![0; length.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0)];
        reader.read_exact(&mut body)?;
        let (first, rest) = head.split_once("\r\n").unwrap_or_default();
        Ok(Self { first: first.to_owned(), rest: rest.to_owned(), body })
    }

    /// The refresh token that is sent, if one is.
    fn refreshes_with(&self) -> Option<String> {
        let mut fields = form_urlencoded::parse(&self.body).filter(|_| self.first.contains("/v2/oauth/token/"));
        fields.find(|(name, _)| name == "refresh_token").map(|(_, token)| token.into_owned())
    }
}
