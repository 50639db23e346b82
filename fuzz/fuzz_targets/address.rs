//! No URL and no address leads into a network that is not public, unless it was allowed; what is allowed opens nothing else.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use syncline::client::guard::Policy;
use url::{Host, Url};

libfuzzer_sys::fuzz_target!(|input: (&str, u32, u128)| {
    let (text, four, six) = input;
    let public = Policy::default();
    let near = Policy { allow: vec!["10.1.0.0/16".parse().expect("a network")], proxy: None };
    for text in [text.to_owned(), format!("http://{text}/"), format!("https://{text}:8443/a?b")] {
        let Ok(url) = Url::parse(&text) else { continue };
        if public.check_url(&url).is_ok() {
            assert!(matches!(url.scheme(), "http" | "https"), "{url}");
            assert!(url.username().is_empty() && url.password().is_none(), "{url}");
            match url.host() {
                Some(Host::Ipv4(address)) => assert!(!is_inside(address.into()), "{url}"),
                Some(Host::Ipv6(address)) => assert!(!is_inside(address.into()), "{url}"),
                // Its addresses are checked when it is resolved; one that is an address is none.
                Some(Host::Domain(name)) => assert!(name.parse::<IpAddr>().is_err(), "{url}"),
                None => panic!("{url} has no host"),
            }
        }
    }
    let (four, six) = (Ipv4Addr::from(four), Ipv6Addr::from(six));
    // The same IPv4 address in every spelling of IPv6 that routers and systems unwrap.
    let wrapped = [
        IpAddr::V4(four),
        IpAddr::V6(four.to_ipv6_mapped()),
        IpAddr::V6(Ipv6Addr::from((0x0064_ff9b_u128 << 96) | u128::from(u32::from(four)))),
    ];
    for address in wrapped.into_iter().chain([IpAddr::V6(six)]) {
        let checked = public.check_address("a.example", address);
        assert!(checked.is_err() || !is_inside(address), "{address} is reached");
        let literal = match address {
            IpAddr::V4(address) => format!("http://{address}/"),
            IpAddr::V6(address) => format!("http://[{address}]/"),
        };
        if let Ok(url) = Url::parse(&literal) {
            assert_eq!(public.check_url(&url).is_ok(), checked.is_ok(), "{url}");
        }
        let plain = address.to_canonical();
        let is_near = matches!(plain, IpAddr::V4(plain) if plain.octets()[..2] == [10, 1]);
        let opened = near.check_address("a.example", address).is_ok();
        assert_eq!(opened, checked.is_ok() || is_near, "{address}");
    }
});

/// What the standard library knows to be no public address, by a list that is not the guard's.
fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => {
            let [a, b, ..] = four.octets();
            four.is_private()
                || four.is_loopback()
                || four.is_link_local()
                || four.is_unspecified()
                || four.is_broadcast()
                || four.is_documentation()
                || four.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (18..20).contains(&b))
        }
        IpAddr::V6(six) => {
            let segments = six.segments();
            let [.., a, b, c, d] = six.octets();
            let translated = segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] && is_inside(Ipv4Addr::new(a, b, c, d).into());
            let tunneled = segments[0] == 0x2002 || segments[..2] == [0x2001, 0];
            six.to_ipv4_mapped().is_some_and(|four| is_inside(four.into()))
                || six.is_loopback()
                || six.is_unspecified()
                || six.is_multicast()
                || six.is_unique_local()
                || six.is_unicast_link_local()
                || translated
                || tunneled
                || segments[..2] == [0x2001, 0xdb8]
                // Deprecated site-local and IPv4-compatible addresses.
                || segments[0] & 0xffc0 == 0xfec0
                || segments[..6] == [0; 6]
        }
    }
}
