use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use url::Url;

/// A line to an emulator on which answers of one path can be held back until the test lets them go.
pub(crate) struct HeldLine {
    pub(crate) base: Url,
    order: Sender<()>,
    held: Receiver<()>,
    release: Sender<()>,
}

/// What the threads of the line share.
struct Shared {
    to: SocketAddr,
    path: &'static str,
    orders: Mutex<Receiver<()>>,
    held: Sender<()>,
    released: Mutex<Receiver<()>>,
}

impl HeldLine {
    pub(crate) fn to(emulator: &Url, path: &'static str) -> Self {
        let to = emulator.socket_addrs(|| None).unwrap()[0];
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let base = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let (order, orders) = mpsc::channel();
        let (held_out, held) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let shared = Shared { to, path, orders: Mutex::new(orders), held: held_out, released: Mutex::new(released) };
        let shared = Arc::new(shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                // A caller that goes away ends its own exchange alone.
                std::thread::spawn(move || drop(shared.carry(stream)));
            }
        });
        Self { base, order, held, release }
    }

    /// Holds the next answer back.
    pub(crate) fn hold(&self) {
        self.order.send(()).unwrap();
    }

    /// Waits until an answer is on its way and held.
    pub(crate) fn wait(&self) {
        self.held.recv_timeout(Duration::from_mins(1)).unwrap();
    }

    pub(crate) fn release(&self) {
        self.release.send(()).unwrap();
    }
}

impl Shared {
    /// One request there, one answer back.
    fn carry(&self, mut from: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(from.try_clone()?);
        let mut head = String::new();
        while reader.read_line(&mut head)? > 2 {}
        let length = head.lines().filter_map(|line| line.split_once(':'));
        let mut length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length = length.find_map(|(_, value)| value.trim().parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let (first, rest) = head.split_once("\r\n").unwrap_or_default();

        let mut there = TcpStream::connect(self.to)?;
        there.write_all(format!("{first}\r\nconnection: close\r\n{rest}").as_bytes())?;
        there.write_all(&body)?;
        let mut answer = Vec::new();
        there.read_to_end(&mut answer)?;
        if first.contains(self.path) && self.orders.lock().is_ok_and(|orders| orders.try_recv().is_ok()) {
            // The test that ordered it may have ended.
            let _ = self.held.send(());
            let _ = self.released.lock().map(|released| released.recv());
        }
        from.write_all(&answer)
    }
}
