//! What everything that listens on this machine looks at before it answers.

use axum::http::{HeaderMap, header};

/// Whether a request was sent to a name of this machine itself. A page whose own name was made to lead here sends that name.
pub(crate) fn names_this_machine(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    matches!(name.to_ascii_lowercase().as_str(), "127.0.0.1" | "localhost" | "[::1]")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        let headers = |hosts: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, HeaderValue::from_static(host));
            }
            headers
        };
        for host in ["127.0.0.1", "127.0.0.1:8787", "localhost", "LOCALHOST:1", "[::1]", "[::1]:8787"] {
            assert!(names_this_machine(&headers(&[host])), "{host}");
        }
        for hosts in [
            &[][..],
            &[""],
            &["evil.example"],
            &["evil.example:8787"],
            &["127.0.0.1.evil.example"],
            &["localhost.evil.example:80"],
            &["evil.example#127.0.0.1"],
            &["localhost:80:80"],
            &["localhost", "evil.example"],
        ] {
            assert!(!names_this_machine(&headers(hosts)), "{hosts:?}");
        }
    }
}
