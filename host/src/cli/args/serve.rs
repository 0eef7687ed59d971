//! What is asked of the host that runs.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use jiff::SignedDuration;

use super::{EXIT_CODES, OpenNetworks, parse_duration};
use crate::keeper::Keep;
use crate::links::ReturnUrl;
use crate::public_url::PublicUrl;
use crate::serve::Proxy;

const EXAMPLES: &str = "\
Examples:
  connector-host serve
  connector-host serve --listen 127.0.0.1:9000 --every 1m --log-format json
  connector-host serve --public-url https://connect.example.com --trusted-proxy 127.0.0.1
  connector-host serve --public-url https://connect.example.com --listen 0.0.0.0:443 --tls-cert chain.pem --tls-key key.pem";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(in crate::cli) struct Serve {
    /// Where to answer; port 0 takes a free one. Another address than one of this machine alone, such as 0.0.0.0, only with a certificate
    /// or a trusted proxy
    #[arg(long, env = "CONNECTOR_LISTEN", default_value = "127.0.0.1:8787", value_name = "ADDRESS")]
    pub(in crate::cli) listen: String,
    /// What others call this host, such as `https://connect.example.com` [default: the address it listens on]. It answers to this name and to
    /// those of this machine, and to no others
    #[arg(long, env = "CONNECTOR_PUBLIC_URL", value_name = "URL")]
    pub(in crate::cli) public_url: Option<PublicUrl>,
    /// Where products may have browsers sent after a connect link: an origin, or one with a path under which everything is allowed; may be
    /// repeated
    #[arg(long, env = "CONNECTOR_RETURN_TO", value_name = "URL", value_delimiter = ',')]
    pub(in crate::cli) return_to: Vec<ReturnUrl>,
    /// The certificate and those between it and its root, as PEM. It is read anew when the file changes
    #[arg(long, env = "CONNECTOR_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub(in crate::cli) tls_cert: Option<PathBuf>,
    /// The key of the certificate, as PEM; nobody else may read it
    #[arg(long, env = "CONNECTOR_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub(in crate::cli) tls_key: Option<PathBuf>,
    /// The address or network of the proxy in front of it; may be repeated. Nobody else gets in but this machine, and the client's address
    /// is taken from its `X-Forwarded-For`
    #[arg(long, env = "CONNECTOR_TRUSTED_PROXY", value_name = "ADDRESS", value_delimiter = ',')]
    pub(in crate::cli) trusted_proxy: Vec<Proxy>,
    /// Where healthz, readyz and metrics are told to whoever reaches it, by plain http: they name platforms, apps, counts and files of the
    /// configuration. Without it they are told to this machine alone
    #[arg(long, env = "CONNECTOR_HEALTH_LISTEN", value_name = "ADDRESS")]
    pub(in crate::cli) health_listen: Option<SocketAddr>,
    /// How many connections there may be at the same time; of one client at most 128
    #[arg(long, env = "CONNECTOR_MAX_CONNECTIONS", default_value = "1024", value_name = "N")]
    pub(in crate::cli) max_connections: NonZeroUsize,
    /// How many requests a second an API key may make, and twice as many at once
    #[arg(long, env = "CONNECTOR_KEY_RATE", default_value = "100", value_name = "N")]
    pub(in crate::cli) key_rate: NonZeroU32,
    /// The file with the hash of the password of the user `admin`, as `users hash-password` prints it: the admin is made, or gets that
    /// password, at the start
    #[arg(long, env = "CONNECTOR_ADMIN_PASSWORD_HASH_FILE", value_name = "FILE")]
    pub(in crate::cli) admin_password_hash_file: Option<PathBuf>,
    /// How long after a pass the next one begins, such as 30s or 2m
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = parse_duration)]
    pub(in crate::cli) every: SignedDuration,
    /// How many connections are refreshed at the same time
    #[arg(long, default_value_t = Keep::MAX_IN_FLIGHT, value_name = "N")]
    pub(in crate::cli) max_in_flight: NonZeroUsize,
    /// How many refreshes begin in a second at most, also after hours of standstill
    #[arg(long, default_value = "20", value_name = "N", value_parser = parse_rate)]
    pub(in crate::cli) max_rate: NonZeroU32,
    /// Do not follow the configuration's files: read them anew on a hangup and on `config reload` alone
    #[arg(long)]
    pub(in crate::cli) no_watch: bool,
    #[command(flatten)]
    pub(in crate::cli) open: OpenNetworks,
}

fn parse_rate(text: &str) -> Result<NonZeroU32, String> {
    let rate = text.parse().ok().filter(|rate: &NonZeroU32| rate.get() <= Keep::MOST_PER_SECOND);
    rate.ok_or_else(|| format!("write a number from 1 to {}", Keep::MOST_PER_SECOND))
}
