//! Bytes that no HTTP library would send, and whatever comes back until the connection ends.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer that has not come by then will not come.
const DEADLINE: Duration = Duration::from_secs(20);

/// What came back.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl RawAnswer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(present, _)| present.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// Sends `bytes`, reads until the other side closes, and returns the first answer. `None`: closed without one.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> Option<RawAnswer> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let mut received = Vec::new();
    let send = async {
        // A server that has refused already stops reading: what it said counts, not how this ends.
        let _ = writer.write_all(bytes).await;
    };
    let receive = async {
        let mut chunk = vec![0; 8192];
        while let Ok(length @ 1..) = reader.read(&mut chunk).await {
            received.extend_from_slice(&chunk[..length]);
        }
    };
    let both = async { tokio::join!(send, receive) };
    tokio::time::timeout(DEADLINE, both).await.expect("the connection ends");
    parse(&String::from_utf8_lossy(&received))
}

/// A request line, these header lines, `Connection: close`, and the body.
pub(crate) fn request(line: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let head = [&[line], headers, &["connection: close", "", ""]].concat();
    [head.join("\r\n").as_str(), body].concat().into_bytes()
}

fn parse(text: &str) -> Option<RawAnswer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    Some(RawAnswer { status, headers, body: body.to_owned() })
}
