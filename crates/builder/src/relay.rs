//! Ports of the pod's own loopback that lead elsewhere.
//!
//! A cluster's local registry is `localhost:5000` for its user and its nodes, which is how images are named, and has
//! another address for pods (KEP-1755). With a relay that name means the same registry in a pod too.

use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::net::TcpStream;

use crate::LaunchError;
use crate::retry::until_made;

/// How long a connection is tried.
const LIMIT: Duration = Duration::from_secs(10);
const TRY_EVERY: Duration = Duration::from_millis(100);

/// A port and where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relay {
    port: u16,
    to: String,
}

impl FromStr for Relay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected `port=host:port`".to_owned();
        let (port, to) = text.split_once('=').ok_or_else(wrong)?;
        let has_port = to.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        let port = port.parse().map_err(|_| wrong())?;
        if has_port { Ok(Self { port, to: to.to_owned() }) } else { Err(wrong()) }
    }
}

/// Relays from now on.
///
/// # Errors
/// When the port is taken.
pub(crate) async fn start(relay: Relay) -> Result<(), LaunchError> {
    let failed = |error| LaunchError::Relay { port: relay.port, error };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, relay.port)).await.map_err(failed)?;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let to = relay.to.clone();
            tokio::spawn(join(client, to));
        }
    });
    Ok(())
}

async fn join(mut client: TcpStream, to: String) {
    // Names of a busy cluster are not always known at once, and a client that is let go of fails its build.
    match until_made(LIMIT, TRY_EVERY, || TcpStream::connect(&to)).await {
        // Either side may leave whenever it likes.
        Ok(mut server) => drop(tokio::io::copy_bidirectional(&mut client, &mut server).await),
        Err(error) => crate::say(&format!("{to}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[test]
    fn relays_are_read() {
        assert_eq!("5000=10.0.0.1:80".parse(), Ok(Relay { port: 5000, to: "10.0.0.1:80".to_owned() }));
        for text in ["", "5000", "x=a:1", "5000=a", "5000=:1", "70000=a:1"] {
            text.parse::<Relay>().unwrap_err();
        }
    }

    #[tokio::test]
    async fn where_it_leads_is_tried_again() {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
        start(Relay { port: free, to: address.to_string() }).await.unwrap();
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, free)).await.unwrap();
        client.write_all(b"ping").await.unwrap();
        tokio::time::sleep(TRY_EVERY * 2).await;
        let server = TcpListener::bind(address).await.unwrap();
        let mut bytes = [0; 4];
        server.accept().await.unwrap().0.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"ping");
    }

    #[tokio::test]
    async fn bytes_go_both_ways() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
        start(Relay { port: free, to: server.local_addr().unwrap().to_string() }).await.unwrap();
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, free)).await.unwrap();
        client.write_all(b"ping").await.unwrap();
        let (mut accepted, _) = server.accept().await.unwrap();
        let mut bytes = [0; 4];
        accepted.read_exact(&mut bytes).await.unwrap();
        accepted.write_all(b"pong").await.unwrap();
        drop(accepted);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!((&bytes, answer.as_slice()), (b"ping", &b"pong"[..]));
    }
}
