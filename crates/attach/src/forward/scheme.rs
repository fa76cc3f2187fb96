//! What a port seems to speak, by its name and number; no I/O.

/// What a port seems to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// HTTP, or nobody says.
    Http,
    /// HTTP over TLS.
    Https,
    /// Something that a request for a page would only disturb.
    Other,
}

/// Words in names of ports and in `appProtocol` that mean something else than HTTP.
const OTHERS: &[&str] = &[
    "grpc",
    "h2c",
    "tcp",
    "udp",
    "tls",
    "ssh",
    "dns",
    "smtp",
    "ldap",
    "amqp",
    "mqtt",
    "nats",
    "kafka",
    "redis",
    "memcached",
    "postgres",
    "postgresql",
    "mysql",
    "mariadb",
    "mongo",
    "mongodb",
    "cassandra",
    "sql",
    "db",
    "dlv",
    "jdwp",
    "debugpy",
    "ptvsd",
    "debug",
];

/// Their usual ports.
const OTHER_PORTS: &[u16] =
    &[22, 25, 53, 389, 636, 1433, 1521, 1883, 2345, 3306, 4222, 5005, 5432, 5671, 5672, 5678, 6379, 9042, 9092, 11211, 27017, 50051];

impl Scheme {
    /// Returns what a port of this name, `appProtocol` and number seems to speak.
    pub(crate) fn of(name: &str, protocol: &str, number: u16) -> Self {
        let protocol = protocol.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let name = name.to_ascii_lowercase();
        let mut words = name.split('-').chain(protocol.split('-')).filter(|word| !word.is_empty());
        let known = words.find_map(|word| match word {
            "http" | "http1" | "web" | "ws" => Some(Self::Http),
            "https" | "wss" => Some(Self::Https),
            other => OTHERS.contains(&other).then_some(Self::Other),
        });
        known.unwrap_or(match number {
            443 | 8443 => Self::Https,
            number if OTHER_PORTS.contains(&number) => Self::Other,
            _ => Self::Http,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_more_than_numbers() {
        for (name, protocol, number, scheme) in [
            ("", "", 8080, Scheme::Http),
            ("http", "", 5432, Scheme::Http),
            ("http-web", "", 80, Scheme::Http),
            ("https", "", 9000, Scheme::Https),
            ("", "", 8443, Scheme::Https),
            ("grpc-api", "", 9000, Scheme::Other),
            ("api", "kubernetes.io/h2c", 9000, Scheme::Other),
            ("api", "HTTP", 9000, Scheme::Http),
            ("", "", 6379, Scheme::Other),
            ("tcp-redis", "", 9000, Scheme::Other),
        ] {
            assert_eq!(Scheme::of(name, protocol, number), scheme, "{name} {protocol} {number}");
        }
    }
}
