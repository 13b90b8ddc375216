//! Asks the host's name servers on a container's behalf.
//!
//! In: the bytes of a question. Out: the bytes of somebody's answer, or none. It asks from the host's own network, so that
//! a name server on the host's loopback can be reached too. It keeps no answers.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::upstream::servers;

/// By which way a question came, and goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// One datagram there, one back.
    Udp,
    /// Through a connection, for long answers.
    Tcp,
}

/// Asks one name server after the other. None if none of them answers in time.
pub(super) async fn ask(question: &[u8], way: Way, resolv_conf: &Path) -> Option<Vec<u8>> {
    // The file is small and read anew, since it changes whenever the host moves to another network.
    let text = tokio::fs::read_to_string(resolv_conf).await.unwrap_or_default();
    for server in servers(&text) {
        let answer = match way {
            Way::Udp => timeout(PATIENCE, by_udp(question, server)).await,
            Way::Tcp => timeout(PATIENCE, by_tcp(question, server)).await,
        };
        if let Ok(Ok(answer)) = answer {
            return Some(answer);
        }
    }
    None
}

async fn by_udp(question: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let any = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut answer = vec![0; DATAGRAM_MAX];
    loop {
        let length = socket.recv(&mut answer).await?;
        if answers(question, &answer[..length]) {
            answer.truncate(length);
            return Ok(answer);
        }
    }
}

async fn by_tcp(question: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    write_framed(&mut stream, question).await?;
    let answer = read_framed(&mut stream).await?;
    if answers(question, &answer) { Ok(answer) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// One message of a connection: its length, then its bytes.
pub(super) async fn read_framed(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; length.into()];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

/// Sends one message through a connection.
pub(super) async fn write_framed(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend(message);
    stream.write_all(&framed).await
}

/// True if it has the question's number and is marked as an answer.
fn answers(question: &[u8], answer: &[u8]) -> bool {
    answer.len() >= 12 && answer.get(..2) == question.get(..2) && answer[2] & 0x80 != 0
}

/// How long one name server has for its answer.
const PATIENCE: Duration = Duration::from_secs(4);
/// As long as name servers make their datagrams today.
const DATAGRAM_MAX: usize = 4096;
