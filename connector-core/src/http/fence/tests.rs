use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Hosts of a URL that no request may go to.
const REFUSED: &[&str] = &[
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.1",
    "127.255.255.254",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0x7f.1",
    "127.0.0.1.",
    "１２７.0.0.1",
    "①②⑦.0.0.1",
    "169.254.169.254",
    "169.254.0.1",
    "0xa9fea9fe",
    "2852039166",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.170",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "me.localhost",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::8.8.8.8]",
    "[64:ff9b:1::a00:1]",
    "[100::1]",
    "[2001::1]",
    "[2001:0:7f00:1::]",
    "[2001:2::1]",
    "[2001:10::1]",
    "[2001:20::1]",
    "[2001:db8::1]",
    "[2002:7f00:1::]",
    "[2002:a00:1::1]",
    "[3fff::1]",
    "[4000::1]",
    "[5f00::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[ff0e::1]",
];

/// Hosts that a request may go to.
const LET_THROUGH: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "[2606:4700::1111]",
    "[2a00::1]",
    "[2001:200::1]",
    "[::ffff:8.8.8.8]",
    "receiver.example",
];

fn url(host: &str) -> Url {
    format!("https://{host}/events").parse().unwrap_or_else(|error| panic!("{host}: {error}"))
}

/// The address that is written in a URL, as a resolver would give it for a name.
fn address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

struct Says(Vec<IpAddr>);

#[async_trait]
impl Lookup for Says {
    async fn addresses(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(self.0.clone())
    }
}

#[tokio::test]
async fn no_address_of_the_inside_is_reached_by_a_url_or_by_a_name() {
    let fence = Fence::default();
    assert!(REFUSED.len() >= 60, "{}", REFUSED.len());
    for host in REFUSED {
        let url = url(host);
        assert!(fence.check(&url).is_err(), "{host}");
        let Some(address) = address(&url) else { continue };
        let error = fence.addresses(&Says(vec![address]), "name.example", true).await.unwrap_err();
        assert!(error.to_string().contains("no public address"), "{host}: {error}");
    }
    for host in LET_THROUGH {
        let url = url(host);
        assert_eq!(fence.check(&url), Ok(()), "{host}");
        let Some(address) = address(&url) else { continue };
        assert_eq!(fence.addresses(&Says(vec![address]), "name.example", true).await.unwrap(), [address], "{host}");
    }
}

#[tokio::test]
async fn of_a_name_that_leads_both_ways_the_public_addresses_stay() {
    let both: Vec<IpAddr> = ["127.0.0.1", "1.1.1.1", "::1"].map(|text| text.parse().unwrap()).to_vec();
    let stay = Fence::default().addresses(&Says(both.clone()), "name.example", true).await.unwrap();
    assert_eq!(stay, both[1..2]);
}

/// A name that leads to a public address when it is checked, and to this machine from then on.
struct Rebinds(AtomicUsize);

#[async_trait]
impl Lookup for Rebinds {
    async fn addresses(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        let is_first = self.0.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        Ok(vec![if is_first { Ipv4Addr::new(1, 1, 1, 1) } else { Ipv4Addr::LOCALHOST }.into()])
    }
}

#[tokio::test]
async fn a_name_that_changes_its_mind_never_leads_inside() {
    let (fence, rebinds) = (Fence::default(), Rebinds(AtomicUsize::new(0)));
    for run in 0..1_000 {
        let found = fence.addresses(&rebinds, "rebinds.example", true).await;
        let found = found.unwrap_or_default();
        assert!(found.iter().all(|address| is_public(*address)), "run {run}: {found:?}");
        assert_eq!(rebinds.0.load(Ordering::Relaxed), run + 1, "it is asked once: what is checked is what is used");
    }
}

#[test]
fn a_url_says_nothing_but_where_to() {
    let open = Fence::with_open(["10.1.0.0/16".parse().unwrap()]);
    for (text, why) in [
        ("http://receiver.example/", "only https"),
        ("ftp://receiver.example/", "only https"),
        ("https://user@receiver.example/", "a user"),
        ("https://:hush@receiver.example/", "a user"),
        ("https://receiver.example/#part", "a fragment"),
        ("https://receiver.example:22/", "the port 22"),
        ("https://receiver.example:1024/", "the port 1024"),
    ] {
        let error = Fence::default().check(&text.parse().unwrap()).unwrap_err();
        assert!(error.contains(why) && !error.contains("hush"), "{text}: {error}");
    }
    for text in ["https://receiver.example:443/", "https://receiver.example:8443/a?b=c"] {
        assert_eq!(Fence::default().check(&text.parse().unwrap()), Ok(()), "{text}");
    }
    let long = format!("https://receiver.example/{}", "x".repeat(LONGEST));
    assert!(open.check(&long.parse().unwrap()).is_err());
    for (text, is_taken) in [
        ("http://10.1.2.3:3000/", true),
        ("https://10.1.2.3/", true),
        ("http://10.2.2.3/", false),
        ("http://1.1.1.1/", false),
        ("https://127.0.0.1/", false),
        ("https://[::ffff:10.1.2.3]/", true),
    ] {
        assert_eq!(open.check(&text.parse().unwrap()).is_ok(), is_taken, "{text}");
    }
}

#[test]
fn a_network_is_an_address_and_how_much_of_it_counts() {
    for (text, inside, outside) in [
        ("10.1.0.0/16", "10.1.255.255", "10.2.0.0"),
        ("192.168.7.1", "192.168.7.1", "192.168.7.2"),
        ("0.0.0.0/0", "127.0.0.1", "::1"),
        ("fd00::/8", "fd12::1", "fe00::1"),
        ("::1/128", "::1", "::2"),
    ] {
        let network: Network = text.parse().unwrap();
        assert!(network.contains(inside.parse().unwrap()) && !network.contains(outside.parse().unwrap()), "{text}");
        assert_eq!(network.to_string().parse(), Ok(network));
    }
    for text in ["", "10.0.0.0/33", "::1/129", "10.0.0.0/", "/8", "10/8", "host/8", "10.0.0.0/-1"] {
        assert!(text.parse::<Network>().is_err(), "{text}");
    }
}
