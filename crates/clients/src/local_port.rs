//! Which local port listens: the wanted one, else one nearby, else any.

use std::io::ErrorKind;

use tokio::net::TcpListener;

/// How many ports after the wanted one are tried.
const NEARBY: u16 = 10;

/// Returns the ports to try, in the order of Skaffold's `pkg/skaffold/util/port.go`; 0 is whatever the system gives.
fn candidates(wanted: Option<u16>) -> impl Iterator<Item = u16> {
    let near = wanted.filter(|port| *port > 0).into_iter().flat_map(|port| port..=port.saturating_add(NEARBY));
    near.chain(4503..=4533).chain([0])
}

/// Returns a listener at the first of the ports that is free and may be used.
///
/// # Errors
/// When the address is none of this machine.
pub async fn listen(address: &str, wanted: Option<u16>) -> std::io::Result<TcpListener> {
    let mut last = None;
    for port in candidates(wanted) {
        match TcpListener::bind((address, port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) if matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| ErrorKind::AddrInUse.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_near_the_wanted_one_come_first() {
        let first = |wanted, count| candidates(wanted).take(count).collect::<Vec<_>>();
        assert_eq!(first(Some(8080), 12), [8080, 8081, 8082, 8083, 8084, 8085, 8086, 8087, 8088, 8089, 8090, 4503]);
        assert_eq!(first(Some(65_530), 7), [65_530, 65_531, 65_532, 65_533, 65_534, 65_535, 4503]);
        for wanted in [None, Some(0)] {
            assert_eq!(first(wanted, 2), [4503, 4504]);
            assert_eq!(candidates(wanted).skip(30).collect::<Vec<_>>(), [4533, 0]);
        }
    }

    #[tokio::test]
    async fn a_taken_port_gives_the_next() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let next = listen("127.0.0.1", Some(port)).await.unwrap().local_addr().unwrap().port();
        assert!(next != port && (next - port <= NEARBY || next >= 4503), "{port} {next}");
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_told() {
        assert_eq!(listen("192.0.2.1", Some(8080)).await.unwrap_err().kind(), ErrorKind::AddrNotAvailable);
    }
}
