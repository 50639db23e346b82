use super::*;

/// Addresses that are refused, each beside an edge of its range where it has one.
const REFUSED: &[&str] = &[
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.255",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.255.255",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.1.2.3",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:1ff:ffff::",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "3fff:fff:ffff::",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fdff:ffff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
];

const PUBLIC: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.0.3.0",
    "192.88.98.255",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2606:4700::1111",
    "3ffe:ffff::1",
];

fn literal(address: &str) -> Url {
    let host = if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    };
    Url::parse(&format!("http://{host}:8080/x")).unwrap()
}

fn resolver(policy: Policy, addresses: &[&str]) -> Resolver {
    let found: Vec<SocketAddr> = addresses
        .iter()
        .map(|text| SocketAddr::new(text.parse().unwrap(), 0))
        .collect();
    let lookup = move |_| -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let found = found.clone();
        Box::pin(async move { Ok(found) })
    };
    Resolver::with_lookup(Arc::new(policy), Arc::new(lookup))
}

async fn resolve(resolver: &Resolver) -> Result<Vec<IpAddr>, Option<Refused>> {
    match resolver.resolve("crm.example.com".parse().unwrap()).await {
        Ok(addresses) => Ok(addresses.map(|address| address.ip()).collect()),
        Err(error) => Err(error.downcast_ref::<Refused>().cloned()),
    }
}

#[tokio::test]
async fn no_private_address_is_reached_as_literal_or_by_name() {
    for address in REFUSED {
        assert!(
            Policy::default().check_url(&literal(address)).is_err(),
            "{address} as literal"
        );
        let resolved = resolve(&resolver(Policy::default(), &[address])).await;
        assert!(
            matches!(resolved, Err(Some(Refused::Address { .. }))),
            "{address} by name: {resolved:?}"
        );
    }
}

#[tokio::test]
async fn every_public_address_is_reached() {
    for address in PUBLIC {
        assert_eq!(Policy::default().check_url(&literal(address)), Ok(()), "{address}");
        assert!(
            resolve(&resolver(Policy::default(), &[address])).await.is_ok(),
            "{address}"
        );
    }
}

#[tokio::test]
async fn of_a_mixed_answer_only_the_public_addresses_are_used() {
    let mixed = resolver(Policy::default(), &["127.0.0.1", "8.8.8.8", "::1"]);
    assert_eq!(resolve(&mixed).await, Ok(vec!["8.8.8.8".parse().unwrap()]));
}

#[test]
fn an_allowed_network_is_reached_and_its_neighbours_are_not() {
    let policy = Policy {
        allow: vec!["10.1.0.0/16".parse().unwrap(), "::1/128".parse().unwrap()],
        proxy: None,
    };
    for (address, is_allowed) in [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("10.2.0.1", false),
        ("::1", true),
        ("127.0.0.1", false),
    ] {
        assert_eq!(policy.check_url(&literal(address)).is_ok(), is_allowed, "{address}");
    }
}

#[test]
fn every_spelling_of_loopback_is_seen_through() {
    for url in [
        "http://0x7f.1/",
        "http://2130706433/",
        "http://017700000001/",
        "http://127.1/",
        "http://①②⑦.0.0.1/",
        "http://127。0。0。1/",
        "http://%31%32%37.0.0.1/",
        "http:\\\\127.0.0.1\\",
        "http://[::ffff:7f00:1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://127.0.0.1./",
    ] {
        if let Ok(url) = Url::parse(url) {
            assert!(Policy::default().check_url(&url).is_err(), "{url}");
        }
    }
}

#[test]
fn other_schemes_and_credentials_in_the_address_are_refused() {
    for url in [
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com/",
        "data:,x",
        "http://a:b@example.com/",
    ] {
        assert!(Policy::default().check_url(&Url::parse(url).unwrap()).is_err(), "{url}");
    }
}
