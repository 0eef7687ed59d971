//! A server that takes one request after the other.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// A request that came.
pub(crate) struct Came {
    pub(crate) head: Vec<String>,
    pub(crate) body: String,
}

impl Came {
    /// Takes the next request and answers that it was received.
    pub(crate) fn next(listener: &TcpListener) -> Self {
        Self::answered(listener, "200 OK", "")
    }

    /// Takes the next request and answers this, with these lines of a head.
    pub(crate) fn answered(listener: &TcpListener, head: &str, body: &str) -> Self {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let came = Self::read(&stream);
        let length = body.len();
        write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
        came
    }

    fn read(stream: &TcpStream) -> Self {
        let mut reader = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let mut came = Self { head, body: String::new() };
        let mut body = vec![0; came.header("content-length").parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        came.body = String::from_utf8(body).unwrap();
        came
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let lines = self.head.iter().filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next().unwrap()
    }
}
