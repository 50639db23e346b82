//! Which addresses may be reached: public ones, and the private networks that the configuration names.
//!
//! Checked at three places, since each alone can be passed by: the literal host of every URL (a resolver is never asked
//! about it), every address a name resolves to, and the peer of the connection an answer came from.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// What a system's requests may reach.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Networks that may be reached although they are not public.
    pub allow: Vec<IpNet>,
    /// The proxy to go through; none of the environment's is ever used. Names are then resolved by the proxy, which has
    /// to keep the rules for them.
    pub proxy: Option<Url>,
}

/// An address or URL that must not be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The scheme is none of http and https.
    #[error("scheme `{scheme}` is not http or https")]
    Scheme {
        /// What it is.
        scheme: String,
    },
    /// There is no host.
    #[error("the address has no host")]
    NoHost,
    /// User and password stand in the URL.
    #[error("the address of `{host}` carries a user name or password")]
    Userinfo {
        /// The host.
        host: String,
    },
    /// The address is not public and not allowed.
    #[error("address {address} of `{host}` is not public ({range})")]
    Address {
        /// The host, as it was named.
        host: String,
        /// The address.
        address: IpAddr,
        /// The name of its range.
        range: &'static str,
    },
}

/// Ranges that are not the public Internet. The union of what Svix and Stripe's smokescreen refuse, and the IANA
/// special-purpose registries.
const REFUSED_V4: &[(Ipv4Addr, u8, &str)] = &[
    (Ipv4Addr::UNSPECIFIED, 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "carrier-grade NAT"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// Everything outside of 2000::/3 is refused anyway; these are the exceptions inside.
const REFUSED_V6: &[(Ipv6Addr, u8, &str)] = &[
    (
        Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0),
        23,
        "Teredo and protocol assignments",
    ),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation"),
];

impl Policy {
    /// Checks a URL before anything is sent to it: its scheme, and its host where that is an address.
    pub fn check_url(&self, url: &Url) -> Result<(), Refused> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refused::Scheme {
                scheme: url.scheme().to_owned(),
            });
        }
        let host = url.host().ok_or(Refused::NoHost)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Userinfo { host: host.to_string() });
        }
        match host {
            Host::Domain(_) => Ok(()),
            Host::Ipv4(address) => self.check_address(&host.to_string(), IpAddr::V4(address)),
            Host::Ipv6(address) => self.check_address(&host.to_string(), IpAddr::V6(address)),
        }
    }

    /// Checks an address that `host` stands for.
    pub fn check_address(&self, host: &str, address: IpAddr) -> Result<(), Refused> {
        let address = address.to_canonical();
        let Some(range) = refused_range(address) else {
            return Ok(());
        };
        if self.allow.iter().any(|network| network.contains(&address)) {
            return Ok(());
        }
        Err(Refused::Address {
            host: host.to_owned(),
            address,
            range,
        })
    }
}

/// The name of the range an address is refused for; `None` for a public address.
fn refused_range(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => refused_v4(address),
        IpAddr::V6(address) => refused_v6(address),
    }
}

fn refused_v4(address: Ipv4Addr) -> Option<&'static str> {
    let contains = |network: Ipv4Addr, length| Ipv4Net::new(network, length).is_ok_and(|net| net.contains(&address));
    REFUSED_V4
        .iter()
        .find(|(network, length, _)| contains(*network, *length))
        .map(|(_, _, name)| *name)
}

fn refused_v6(address: Ipv6Addr) -> Option<&'static str> {
    let contains = |network: Ipv6Addr, length| Ipv6Net::new(network, length).is_ok_and(|net| net.contains(&address));
    if contains(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96) {
        // NAT64 (RFC 6052): as public as the IPv4 address inside.
        let [.., a, b, c, d] = address.octets();
        return refused_v4(Ipv4Addr::new(a, b, c, d));
    }
    if !contains(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3) {
        return Some(if address.is_loopback() {
            "loopback"
        } else {
            "not global unicast"
        });
    }
    REFUSED_V6
        .iter()
        .find(|(network, length, _)| contains(*network, *length))
        .map(|(_, _, name)| *name)
}

/// Asks for the addresses of a name; the port is not used.
type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// Resolves names to the addresses that may be reached, and to no other.
pub(super) struct Resolver {
    policy: Arc<Policy>,
    lookup: Lookup,
}

impl Resolver {
    /// A resolver that asks the operating system.
    pub(super) fn new(policy: Arc<Policy>) -> Self {
        let lookup = |host: String| -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
            Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.collect()) })
        };
        Self::with_lookup(policy, Arc::new(lookup))
    }

    /// A resolver that asks `lookup`.
    pub(super) fn with_lookup(policy: Arc<Policy>, lookup: Lookup) -> Self {
        Self { policy, lookup }
    }

    /// The addresses of `host` that may be reached; the refusal of the first one where none may.
    async fn allowed(policy: &Policy, lookup: &Lookup, host: String) -> Result<Vec<SocketAddr>, ResolveError> {
        let found = lookup(host.clone()).await?;
        let mut allowed = Vec::with_capacity(found.len());
        let mut refused = None;
        for address in found {
            match policy.check_address(&host, address.ip()) {
                Ok(()) => allowed.push(address),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match refused {
            Some(error) if allowed.is_empty() => Err(error.into()),
            _ => Ok(allowed),
        }
    }
}

/// Why a name gave no address.
#[derive(Debug, thiserror::Error)]
enum ResolveError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the name does not resolve")]
    Lookup(#[from] io::Error),
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, lookup, host) = (self.policy.clone(), self.lookup.clone(), name.as_str().to_owned());
        Box::pin(async move {
            match Self::allowed(&policy, &lookup, host).await {
                Ok(allowed) => Ok(Box::new(allowed.into_iter()) as Addrs),
                // The refusal itself, so that it is found among the sources of the error.
                Err(ResolveError::Refused(refused)) => Err(refused.into()),
                Err(error) => Err(error.into()),
            }
        })
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
