//! Who asks without a token, and how often that is answered.
//!
//! The address of a visitor is its connection's; where that comes from this very machine, it is a
//! proxy's, and the visitor is the last one that it names in `X-Forwarded-For`. An IPv6 network of
//! 64 bits counts as one visitor. Of telephones many share an address, so the first thirty pages
//! cost nothing, and nobody is told apart by what it asks for: a wrong guess costs what a right one
//! does.
//!
//! | bound | value | at the bound |
//! |---|---|---|
//! | pages of a visitor | 30 at once, then one every two seconds | 429 |
//! | pages of all visitors | 200 at once, then 50 a second | 429 |
//! | visitors that are remembered | 4,096; those of the last minute, which are fewer | 429 |
//! | receipts of all gateways | 1,000 at once, then 100 a second | 429 |

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
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

/// Receipts of all gateways.
pub const RECEIPTS: Budget = Budget::new(1_000, 10);
const PAGES: Budget = Budget::new(200, 20);
const PAGES_OF_ONE: Budget = Budget::new(30, 2_000);
const REMEMBERED: usize = 4_096;

/// The budget of pages: each visitor's own, and that of all.
#[derive(Debug)]
pub struct Visitors {
    all: Budget,
    each: HashMap<IpAddr, Budget>,
}

impl Default for Visitors {
    fn default() -> Self {
        Self { all: PAGES, each: HashMap::new() }
    }
}

impl Visitors {
    /// Whether `visitor` gets another page. Who has none left takes nothing from the others.
    pub fn take(&mut self, visitor: IpAddr, now_ms: u64) -> bool {
        let mut own = self.each.get(&visitor).copied().unwrap_or(PAGES_OF_ONE);
        if !own.take(now_ms) {
            return false;
        }
        if self.each.len() >= REMEMBERED {
            self.each.retain(|_, budget| !budget.is_whole(now_ms));
        }
        let has_place = self.each.len() < REMEMBERED || self.each.contains_key(&visitor);
        if !has_place || !self.all.take(now_ms) {
            return false;
        }
        self.each.insert(visitor, own);
        true
    }
}

/// Whose request it is: the peer's, or, of a proxy on this machine, the one that it names last.
pub fn visitor(peer: IpAddr, forwarded: Option<&[u8]>) -> IpAddr {
    let named = forwarded.filter(|_| peer.to_canonical().is_loopback());
    let named = named.and_then(|list| std::str::from_utf8(list).ok());
    let last = named.and_then(|list| list.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
    match last.unwrap_or(peer).to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
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
    fn all_of_them_have_a_bound_and_so_has_what_is_remembered_of_them() {
        let mut visitors = Visitors::default();
        let mut answered = 0;
        // Twenty seconds of a thousand requests each, every one from another address.
        for number in 0..20_000_u32 {
            let visitor = IpAddr::from(number.to_be_bytes());
            answered += u32::from(visitors.take(visitor, u64::from(number)));
            assert!(visitors.each.len() <= REMEMBERED);
        }
        assert_eq!(answered, 200 + 19_999 / 20);
        assert!(visitors.each.len() < 1_250);
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
