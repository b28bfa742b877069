//! Who asks without a token, and how often that is answered.
//!
//! The address of a visitor is its connection's; where that comes from this very machine, it is a
//! proxy's, and the visitor is the last one that it names in `X-Forwarded-For`. An IPv6 network of
//! 64 bits counts as one visitor, and what is charged to it is charged to the networks of 56 and of 48
//! bits around it, too, since whoever has one of those has thousands of visitors.
//!
//! What somebody knows is charged by itself: a link is answered as often as it may be, wherever it is
//! asked from. An address and the networks around it are charged for guesses alone, tokens that nobody
//! knows: so whoever guesses, from a thousand addresses or from an office, locks out nobody who holds
//! a link. That is no help to whoever guesses, since 64 bits are not found at any rate that a server
//! answers.
//!
//! | bound | value | at the bound |
//! |---|---|---|
//! | pages of a link that somebody has | 30 at once, then one every two seconds | 429 |
//! | guesses of a visitor | 30 at once, then one every two seconds | guesses get 429 |
//! | guesses of an IPv6 network of 56 bits | 120 at once, then one a second | the same |
//! | guesses of an IPv6 network of 48 bits | 480 at once, then 4 a second | the same |
//! | guesses of all visitors | 200 at once, then 50 a second | the same |
//! | links, and visitors and networks, that are remembered | 4,096 each | whoever has most of its budget left is forgotten |
//! | bodies of a visitor, of networks of 56 and of 48 bits that are waited for | 8, 16, 32 | 429 |
//! | receipts of a channel for its messages | 1,000 at once, then 100 a second | 429 |
//! | receipts of a channel for ids that nobody knows | 100 at once, then 10 a second | 429 |
//! | receipts of a channel whose ids are looked up | 4,000 at once, then 1,000 a second | 429 |

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

/// How often something may be done: so often at once, and then at a steady rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    every_ms: u64,
    at_once: u64,
    /// When all of it will be there again.
    whole_at_ms: u64,
}

impl Budget {
    /// `at_once`, then one every `every_ms`.
    pub const fn new(at_once: u64, every_ms: u64) -> Self {
        Self { every_ms, at_once, whole_at_ms: 0 }
    }

    /// Whether it may be done once more; `now_ms` counts from anywhere and never back.
    pub fn take(&mut self, now_ms: u64) -> bool {
        let from = self.whole_at_ms.max(now_ms);
        let is_left = from - now_ms <= self.every_ms.saturating_mul(self.at_once.saturating_sub(1));
        if is_left {
            self.whole_at_ms = from.saturating_add(self.every_ms);
        }
        is_left
    }
}

/// Receipts of a channel for messages that it was given.
pub const RECEIPTS: Budget = Budget::new(1_000, 10);
/// Receipts of a channel for ids that nobody knows: another system's, or of a store that is gone.
pub const STRAYS: Budget = Budget::new(100, 100);
/// Receipts of a channel whose ids are looked up, which writes nothing.
pub const LOOKUPS: Budget = Budget::new(4_000, 1);
/// Pages of a link that somebody has.
const SHOWN: Budget = Budget::new(30, 2_000);
/// Guesses of a visitor and of the networks around it.
const GUESSES_OF: [Budget; 3] =
    [Budget::new(30, 2_000), Budget::new(120, 1_000), Budget::new(480, 250)];
const GUESSES: Budget = Budget::new(200, 20);
const REMEMBERED: usize = 4_096;

/// A visitor, or a network around it: an address, of IPv6 without all but so many bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Bits of an address of its own.
    const OWN: (u8, u8) = (32, 64);

    fn of(address: IpAddr, bits: u8) -> Self {
        let address = match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => {
                let others = 128_u32.saturating_sub(u32::from(bits));
                let mask = u128::MAX.checked_shl(others).unwrap_or(0);
                Ipv6Addr::from(u128::from(address) & mask).into()
            }
        };
        Self { address, bits }
    }

    /// A visitor by itself.
    pub fn own(visitor: IpAddr) -> Self {
        let (of_v4, of_v6) = Self::OWN;
        Self::of(visitor, if visitor.is_ipv4() { of_v4 } else { of_v6 })
    }

    /// The address, of a network its first one.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// One as it was written; `None` of what is none.
    pub fn read(text: &str) -> Option<Self> {
        match text.split_once('/') {
            None => Some(Self::own(text.parse().ok()?)),
            Some((address, bits)) => Some(Self::of(address.parse().ok()?, bits.parse().ok()?)),
        }
    }
}

/// A visitor as its address, a wider network with its bits.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::own(self.address) {
            self.address.fmt(f)
        } else {
            write!(f, "{}/{}", self.address, self.bits)
        }
    }
}

/// A visitor and the networks of 56 and of 48 bits around it, each with its bound; of IPv4 the visitor
/// alone, since nobody has many of those addresses.
pub fn around<T>(visitor: IpAddr, bounds: [T; 3]) -> impl Iterator<Item = (Network, T)> {
    let wider: &[u8] = if visitor.is_ipv4() { &[] } else { &[56, 48] };
    let wider = wider.iter().map(move |bits| Network::of(visitor, *bits));
    std::iter::once(Network::own(visitor)).chain(wider).zip(bounds)
}

/// Budgets of many, each whole until it is charged.
#[derive(Debug)]
struct Each<K> {
    charged: HashMap<K, Budget>,
}

impl<K: Eq + Hash + Clone> Each<K> {
    /// Whether there was something left of what is this when it is whole.
    fn take(&mut self, who: K, whole: Budget, now_ms: u64) -> bool {
        if !self.charged.contains_key(&who) && self.charged.len() >= REMEMBERED {
            let least = self.charged.iter().min_by_key(|(_, budget)| budget.whole_at_ms);
            if let Some(least) = least.map(|(who, _)| who.clone()) {
                self.charged.remove(&least);
            }
        }
        self.charged.entry(who).or_insert(whole).take(now_ms)
    }
}

impl<K> Default for Each<K> {
    fn default() -> Self {
        Self { charged: HashMap::new() }
    }
}

/// The budgets of links, of which each is known as a `K`, and those of guesses.
#[derive(Debug)]
pub struct Visitors<K> {
    shown: Each<K>,
    guessing: Each<Network>,
    guesses: Budget,
}

impl<K> Default for Visitors<K> {
    fn default() -> Self {
        Self { shown: Each::default(), guessing: Each::default(), guesses: GUESSES }
    }
}

impl<K: Eq + Hash + Clone> Visitors<K> {
    /// Whether whoever has this link is answered once more.
    pub fn show(&mut self, link: K, now_ms: u64) -> bool {
        self.shown.take(link, SHOWN, now_ms)
    }

    /// Charges `visitor` and the networks around it for a token that nobody knows; whether the guess
    /// is answered as such.
    pub fn guess(&mut self, visitor: IpAddr, now_ms: u64) -> bool {
        let mut is_bearable = true;
        for (network, whole) in around(visitor, GUESSES_OF) {
            is_bearable &= self.guessing.take(network, whole, now_ms);
        }
        // who has guessed too often takes nothing of what others may
        is_bearable && self.guesses.take(now_ms)
    }
}

/// Whose request it is: the peer's, or, of a proxy on this machine, the one that it names last.
pub fn visitor(peer: IpAddr, forwarded: Option<&[u8]>) -> IpAddr {
    let named = forwarded.filter(|_| peer.to_canonical().is_loopback());
    let named = named.and_then(|list| std::str::from_utf8(list).ok());
    let last =
        named.and_then(|list| list.rsplit(',').next()).and_then(|last| named_by(last.trim()));
    of_its_own(last.unwrap_or(peer))
}

/// An address as one visitor: an IPv6 network of 64 bits is one.
pub fn of_its_own(address: IpAddr) -> IpAddr {
    Network::own(address.to_canonical()).address
}

/// An address as proxies write it: by itself, in brackets, or with a port.
fn named_by(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_visitor_is_the_peer_or_whom_a_proxy_on_this_machine_names_last() {
        let forwarded = Some(b"10.0.0.1, 203.0.113.7".as_slice());
        for (peer, forwarded, expected) in [
            ("198.51.100.1", forwarded, "198.51.100.1"),
            ("127.0.0.1", forwarded, "203.0.113.7"),
            ("::1", forwarded, "203.0.113.7"),
            ("::ffff:127.0.0.1", forwarded, "203.0.113.7"),
            ("127.0.0.1", None, "127.0.0.1"),
            ("127.0.0.1", Some(b"unknown".as_slice()), "127.0.0.1"),
            ("127.0.0.1", Some(b"\xff".as_slice()), "127.0.0.1"),
            ("127.0.0.1", Some(b"2001:db8:1:2:3:4:5:6".as_slice()), "2001:db8:1:2::"),
            ("127.0.0.1", Some(b"203.0.113.7:4711".as_slice()), "203.0.113.7"),
            ("127.0.0.1", Some(b"[2001:db8:1:2:3:4:5:6]:4711".as_slice()), "2001:db8:1:2::"),
            ("127.0.0.1", Some(b"10.0.0.1,[2001:db8:1:2:3:4:5:6]".as_slice()), "2001:db8:1:2::"),
            ("127.0.0.1", Some(b"::ffff:203.0.113.7".as_slice()), "203.0.113.7"),
            ("2001:db8:1:2::9", None, "2001:db8:1:2::"),
        ] {
            assert_eq!(
                visitor(address(peer), forwarded),
                address(expected),
                "{peer} {forwarded:?}"
            );
        }
    }

    #[test]
    fn a_network_is_read_as_it_was_written() {
        let visitor = address("2001:db8:1:2::");
        let written: Vec<_> = around(visitor, [(); 3]).map(|(network, ())| network).collect();
        let texts: Vec<_> = written.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["2001:db8:1:2::", "2001:db8:1::/56", "2001:db8:1::/48"]);
        let read: Vec<_> = texts.iter().filter_map(|text| Network::read(text)).collect();
        assert_eq!(read, written);
        let of_v4: Vec<_> = around(address("203.0.113.7"), [(); 3]).collect();
        assert_eq!(of_v4, [(Network::read("203.0.113.7").unwrap(), ())]);
        for text in ["", "/48", "2001:db8::/x", "nowhere"] {
            assert_eq!(Network::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_link_is_shown_so_often_and_who_guesses_takes_nothing_of_that() {
        let mut visitors = Visitors::default();
        let office = address("203.0.113.7");
        let answered = (0..1_000).filter(|_| visitors.guess(office, 5)).count();
        assert_eq!(answered, 30);
        assert_eq!((0..1_000).filter(|_| visitors.show("mine", 5)).count(), 30);
        assert!(visitors.show("yours", 5));
        assert!(!visitors.show("mine", 2_004) && visitors.show("mine", 2_005));
    }

    #[test]
    fn who_guesses_from_a_block_of_addresses_is_answered_no_more_and_others_are() {
        let mut visitors = Visitors::<u32>::default();
        let block =
            |number: u128| IpAddr::from(Ipv6Addr::from((0x2001_0db8_0001 << 80) | (number << 64)));
        // Twenty seconds of a thousand guesses each, every one from another network of 64 bits.
        let guesses = 0..20_000_u64;
        let answered = guesses.filter(|now| visitors.guess(block(u128::from(*now)), *now)).count();
        assert!((200..=480 + 80).contains(&answered), "{answered}");
        assert!(visitors.guess(address("2001:db8:2::"), 20_000));
        assert!(visitors.guess(address("203.0.113.8"), 20_000));
    }

    #[test]
    fn what_is_remembered_has_a_bound_and_forgives_nobody_who_is_charged_most() {
        let mut visitors = Visitors::default();
        let often = address("203.0.113.7");
        let mut answered = (0..1_000).filter(|_| visitors.guess(often, 7)).count();
        for number in 0..20_000_u32 {
            answered += usize::from(visitors.guess(IpAddr::from(number.to_be_bytes()), 7));
            assert!(visitors.show(number, 7));
            assert!(visitors.guessing.charged.len() <= REMEMBERED);
            assert!(visitors.shown.charged.len() <= REMEMBERED);
        }
        assert_eq!(answered, 200);
        assert!(!visitors.guess(often, 1_000), "he is forgotten");
        // of others the table keeps count, too, however full it is
        let late = address("198.51.100.1");
        assert!((0..1_000).filter(|_| visitors.guess(late, 60_000)).count() <= 30);
    }

    proptest! {
        #[test]
        fn a_budget_gives_no_more_than_it_says(
            at_once in 1_u64..20, every in 1_u64..50, waits in prop::collection::vec(0_u64..100, 1..300),
        ) {
            let mut budget = Budget::new(at_once, every);
            let (mut now, mut given) = (0, 0);
            for wait in waits {
                now += wait;
                given += u64::from(budget.take(now));
                prop_assert!(given <= at_once + now / every);
            }
            prop_assert!(given >= 1);
            prop_assert!(budget.take(now + at_once * every));
        }
    }
}
