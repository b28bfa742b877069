//! Who asks without a token, and how often that is answered.
//!
//! The address of a visitor is its connection's; where that comes from this very machine, it is a
//! proxy's, and the visitor is the last one that it names in `X-Forwarded-For`. An IPv6 network of
//! 64 bits counts as one visitor. Of telephones many share an address, so the first thirty pages
//! cost nothing.
//!
//! What is common to many is charged for guesses alone, tokens that nobody knows: so whoever has a
//! thousand addresses to guess from locks out nobody who holds a link. That is no help to whoever
//! guesses, since 64 bits are not found at any rate that a server answers.
//!
//! | bound | value | at the bound |
//! |---|---|---|
//! | pages of a visitor | 30 at once, then one every two seconds | 429 |
//! | guesses of an IPv6 network of 56 bits | 120 at once, then one a second | the network gets 429 |
//! | guesses of an IPv6 network of 48 bits | 480 at once, then 4 a second | the network gets 429 |
//! | guesses of all visitors | 200 at once, then 50 a second | guesses get 429 |
//! | visitors, and networks, that are remembered | 4,096 each, those of the last minutes | a stranger is not counted by himself |
//! | bodies of a visitor that are waited for | 8 | 429 |
//! | receipts of a channel for its messages | 1,000 at once, then 100 a second | 429 |
//! | receipts of a channel for ids that nobody knows | 100 at once, then 10 a second | 429 |
//! | receipts of a channel whose ids are looked up | 4,000 at once, then 1,000 a second | 429 |

use std::{
    collections::HashMap,
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

    const fn is_whole(&self, now_ms: u64) -> bool {
        self.whole_at_ms <= now_ms
    }
}

/// Receipts of a channel for messages that it was given.
pub const RECEIPTS: Budget = Budget::new(1_000, 10);
/// Receipts of a channel for ids that nobody knows: another system's, or of a store that is gone.
pub const STRAYS: Budget = Budget::new(100, 100);
/// Receipts of a channel whose ids are looked up, which writes nothing.
pub const LOOKUPS: Budget = Budget::new(4_000, 1);
/// Bodies of one visitor that are waited for.
pub const BODIES: usize = 8;
const PAGES_OF_ONE: Budget = Budget::new(30, 2_000);
const GUESSES: Budget = Budget::new(200, 20);
/// Networks wider than a visitor's own: their bits, and what they may guess.
const WIDER: [(u32, Budget); 2] = [(56, Budget::new(120, 1_000)), (48, Budget::new(480, 250))];
const REMEMBERED: usize = 4_096;

/// Budgets of many, each whole until it is charged.
#[derive(Debug)]
struct Each {
    budget: Budget,
    charged: HashMap<IpAddr, Budget>,
}

impl Each {
    fn of(budget: Budget) -> Self {
        Self { budget, charged: HashMap::new() }
    }

    fn has_left(&self, who: IpAddr, now_ms: u64) -> bool {
        self.charged.get(&who).copied().unwrap_or(self.budget).take(now_ms)
    }

    /// Whether there was something left. Where too many are remembered already, a stranger is
    /// given it: a table that somebody fills must not keep others out.
    fn take(&mut self, who: IpAddr, now_ms: u64) -> bool {
        if let Some(known) = self.charged.get_mut(&who) {
            return known.take(now_ms);
        }
        if self.charged.len() >= REMEMBERED {
            self.charged.retain(|_, budget| !budget.is_whole(now_ms));
        }
        let mut own = self.budget;
        let is_left = own.take(now_ms);
        if self.charged.len() < REMEMBERED {
            self.charged.insert(who, own);
        }
        is_left
    }
}

/// The budgets of pages: each visitor's own, and that of guesses.
#[derive(Debug)]
pub struct Visitors {
    each: Each,
    wider: [(u32, Each); 2],
    guesses: Budget,
}

impl Default for Visitors {
    fn default() -> Self {
        let wider = WIDER.map(|(bits, budget)| (bits, Each::of(budget)));
        Self { each: Each::of(PAGES_OF_ONE), wider, guesses: GUESSES }
    }
}

impl Visitors {
    /// Whether `visitor` gets another page, asked before anything is done for him.
    pub fn take(&mut self, visitor: IpAddr, now_ms: u64) -> bool {
        let is_bearable = self.wider.iter().all(|(bits, each)| {
            network(visitor, *bits).is_none_or(|network| each.has_left(network, now_ms))
        });
        is_bearable && self.each.take(visitor, now_ms)
    }

    /// Charges `visitor` and the networks around it for a token that nobody knows; whether guesses
    /// are answered as such.
    pub fn guess(&mut self, visitor: IpAddr, now_ms: u64) -> bool {
        for (bits, each) in &mut self.wider {
            if let Some(network) = network(visitor, *bits) {
                each.take(network, now_ms);
            }
        }
        self.guesses.take(now_ms)
    }
}

/// The IPv6 network of so many bits around an address; none of an IPv4 address, of which there are
/// too few for anybody to have many.
fn network(address: IpAddr, bits: u32) -> Option<IpAddr> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0);
            Some(Ipv6Addr::from(u128::from(address) & mask).into())
        }
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
    let address = address.to_canonical();
    network(address, 64).unwrap_or(address)
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
    fn who_asks_too_often_is_refused_and_others_are_not() {
        let mut visitors = Visitors::default();
        let (often, seldom) = (address("203.0.113.7"), address("203.0.113.8"));
        let answered = (0..1_000).filter(|_| visitors.take(often, 5)).count();
        assert_eq!(answered, 30);
        assert!(visitors.take(seldom, 5));
        assert!(!visitors.take(often, 2_004) && visitors.take(often, 2_005));
    }

    #[test]
    fn who_guesses_from_a_block_of_addresses_locks_out_nobody_but_that_block() {
        let mut visitors = Visitors::default();
        let block =
            |number: u128| IpAddr::from(Ipv6Addr::from((0x2001_0db8_0001 << 80) | (number << 64)));
        let mut looked_up = 0_u32;
        // Ten seconds of a thousand guesses each, every one from another network of 64 bits.
        for number in 0..10_000_u32 {
            let (visitor, now) = (block(u128::from(number)), u64::from(number));
            if visitors.take(visitor, now) {
                looked_up += 1;
                visitors.guess(visitor, now);
            }
        }
        assert!((480..=480 + 40).contains(&looked_up), "{looked_up}");
        let neighbour = address("2001:db8:2::");
        assert!(visitors.take(neighbour, 10_000) && visitors.take(address("203.0.113.8"), 10_000));
        // Of those who hold a link, however many they are, nothing common is taken.
        let holders = (0..10_000_u32)
            .filter(|number| visitors.take(IpAddr::from(number.to_be_bytes()), 10_001));
        assert_eq!(holders.count(), 10_000);
    }

    #[test]
    fn what_is_remembered_has_a_bound_and_a_full_table_keeps_out_no_stranger() {
        let mut visitors = Visitors::default();
        let mut answered = 0;
        for number in 0..20_000_u32 {
            let visitor = IpAddr::from(number.to_be_bytes());
            assert!(visitors.take(visitor, 7));
            answered += u32::from(visitors.guess(visitor, 7));
            assert!(visitors.each.charged.len() <= REMEMBERED);
        }
        assert_eq!(answered, 200);
        // whoever was there before is counted on
        let first = IpAddr::from(0_u32.to_be_bytes());
        assert_eq!((0..1_000).filter(|_| visitors.take(first, 7)).count(), 29);
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
