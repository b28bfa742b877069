//! Wrong passwords: how many are looked at, and who waits after them.
//!
//! A name is locked for everybody who comes from a place that its user never came from: so somebody
//! who guesses locks out himself, and not the one on duty at his desk, not even from the same address,
//! such as an office has one of. A name that nobody has is counted and locked like one that somebody
//! has, so that nothing tells them apart from elsewhere. A try is charged
//! before the password is looked at and given back where it was right: however many are made at the
//! same time, no more than the bound are looked at. What is counted outlives the process: of each
//! change there is something to be kept ([`Kept`]), and a start begins with all of it.
//!
//! Whoever guesses in the office itself, from the address of its desks, has five tries for each user
//! who logs in from there beside the thirty for other names, and with five wrong ones locks that user
//! there for half an hour, which is journalled; from a telephone that he has logged in with before, or
//! by the link in a message, the user goes on. Once that address is locked, a name that is still
//! looked at tells that its user comes from there.
//!
//! | bound | value | at the bound |
//! |---|---|---|
//! | wrong passwords for a name, from places that its user never logged in from | 5, until 30 minutes after the last one | 30 minutes no log-in from there |
//! | the same from one place that its user did log in from | 5 | 30 minutes no log-in from that place |
//! | wrong passwords from one place, from an IPv6 network of 56 bits, from one of 48, for names whose users never logged in from there | 30, 120, 480 | 30 minutes no log-in of such names from there |
//! | right ones for a name | 30 at once, then one a minute | refused |
//! | places that a user is known to come from | 8, the latest | the one longest ago is forgotten |
//! | names that nobody has | 4,096 | the one tried longest ago is forgotten |
//! | names that somebody has | as many as there are users | |
//! | places and networks around them | 4,096 | the one with the fewest wrong passwords of the last half hour is forgotten, and counted |

use std::{collections::HashMap, net::IpAddr};

use crate::visitor::{Budget, Network, around};

/// So long a lock lasts, and so long a wrong password is remembered.
pub const LOCK_MS: u64 = 30 * 60_000;
const WRONG_FOR_NAME: u32 = 5;
/// From a place and from the networks around it.
const WRONG_FROM: [u32; 3] = [30, 120, 480];
const RIGHT: Budget = Budget::new(30, 60_000);
const FAMILIAR: usize = 8;
const REMEMBERED: usize = 4_096;

/// Tries of late that were not right, or whose end is not known yet.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    tries: u32,
    /// How many of them are known to be wrong.
    wrong: u32,
    last_ms: u64,
}

impl Count {
    /// How long none is allowed, with a bound of so many; `None` where one is.
    fn wait_ms(self, bound: u32, now_ms: u64) -> Option<u64> {
        let until = self.last_ms.saturating_add(LOCK_MS);
        (self.tries >= bound && until > now_ms).then(|| until - now_ms)
    }

    fn is_of_late(self, now_ms: u64) -> bool {
        self.tries > 0 && self.last_ms.saturating_add(LOCK_MS) > now_ms
    }

    fn charge(&mut self, now_ms: u64) {
        let Self { tries, wrong, .. } =
            if self.is_of_late(now_ms) { *self } else { Self::default() };
        *self = Self { tries: tries.saturating_add(1), wrong, last_ms: now_ms };
    }

    /// Whether that was the last one: of those that are made at the same moment one is.
    fn count_wrong(&mut self, bound: u32) -> bool {
        let before = self.wrong;
        self.wrong = before.saturating_add(1).min(self.tries);
        before < bound && self.wrong >= bound
    }

    fn give_back(&mut self) {
        self.tries = self.tries.saturating_sub(1);
        self.wrong = self.wrong.min(self.tries);
    }
}

/// What is remembered of a name.
#[derive(Debug, Clone)]
struct Name {
    strangers: Count,
    /// Places that its user came from, the latest last.
    familiar: Vec<(IpAddr, Count)>,
    /// Whether somebody has it.
    is_somebodys: bool,
    right: Budget,
    tried_ms: u64,
}

impl Name {
    const fn new(now_ms: u64) -> Self {
        Self {
            strangers: Count { tries: 0, wrong: 0, last_ms: 0 },
            familiar: Vec::new(),
            is_somebodys: false,
            right: RIGHT,
            tried_ms: now_ms,
        }
    }

    /// How tries stand from a place that its user came from; none from others.
    fn at_desk(&mut self, place: IpAddr) -> Option<&mut Count> {
        let known = self.familiar.iter_mut().find(|(familiar, _)| *familiar == place);
        known.map(|(_, count)| count)
    }

    /// Where a try was charged; none where its place has been forgotten meanwhile.
    fn charged(&mut self, tried: &Try) -> Option<&mut Count> {
        if tried.is_familiar { self.at_desk(tried.place) } else { Some(&mut self.strangers) }
    }

    fn came_from(&mut self, place: IpAddr) {
        self.familiar.retain(|(familiar, _)| *familiar != place);
        if self.familiar.len() >= FAMILIAR {
            self.familiar.remove(0);
        }
        self.familiar.push((place, Count::default()));
    }
}

/// A try that is charged until it is known what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    name: String,
    place: IpAddr,
    /// Its user had logged in from there before, so the place was not charged.
    is_familiar: bool,
}

/// A try that is not to be looked at for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locked {
    /// Whole seconds, at least one.
    pub seconds: u64,
}

/// What became of a wrong password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It may be tried again.
    Again,
    /// That was the last one for a while, for this name from where it came.
    LastForName,
}

/// What is to be kept of tries, for a name from a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The name; empty: whatever names were tried from the place.
    pub name: String,
    /// The place, or a network; `None`: wherever the user never came from.
    pub place: Option<Network>,
    /// Tries of late that were not right.
    pub tries: u32,
    /// Whether the user came from there.
    pub is_familiar: bool,
    /// When the last one was.
    pub last_ms: u64,
}

impl Kept {
    fn of(name: &str, place: Option<Network>, count: Count) -> Self {
        let Count { tries, last_ms, .. } = count;
        Self { name: name.to_owned(), place, tries, is_familiar: false, last_ms }
    }
}

/// Every name and every place of late. Names are compared without their case.
#[derive(Debug, Default)]
pub struct Lockouts {
    names: HashMap<String, Name>,
    places: HashMap<Network, Count>,
    /// Places that were forgotten while they were charged.
    forgotten: u64,
}

impl Try {
    /// Whether its user had logged in from there before.
    pub const fn is_familiar(&self) -> bool {
        self.is_familiar
    }
}

impl Lockouts {
    /// Whether a password for `name` from `place` is looked at, which is charged: of its user's own
    /// places there, of all others for name and place. `now_ms` counts from anywhere and never back.
    pub fn begin(&mut self, name: &str, place: IpAddr, now_ms: u64) -> Result<Try, Locked> {
        let name = name.to_ascii_lowercase();
        let known = self.names.get_mut(&name);
        let strangers = known.as_ref().map(|known| known.strangers).unwrap_or_default();
        let at_desk = known.and_then(|known| known.at_desk(place)).copied();
        let of_strangers = || {
            let from = around(place, WRONG_FROM);
            from.filter_map(|(network, bound)| self.counted(network).wait_ms(bound, now_ms))
                .chain(strangers.wait_ms(WRONG_FOR_NAME, now_ms))
                .max()
        };
        let wait_ms =
            at_desk.map_or_else(of_strangers, |count| count.wait_ms(WRONG_FOR_NAME, now_ms));
        if let Some(wait_ms) = wait_ms {
            return Err(Locked { seconds: wait_ms.div_ceil(1_000) });
        }
        let tried = Try { name, place, is_familiar: at_desk.is_some() };
        if !tried.is_familiar {
            for (network, _) in around(place, WRONG_FROM) {
                self.place(network, now_ms).charge(now_ms);
            }
        }
        let known = self.name(tried.name.clone(), now_ms);
        known.tried_ms = now_ms;
        if let Some(count) = known.charged(&tried) {
            count.charge(now_ms);
        }
        Ok(tried)
    }

    /// It was wrong; `is_somebodys` says whether the name is.
    pub fn wrong(&mut self, tried: &Try, is_somebodys: bool) -> Wrong {
        let Some(known) = self.names.get_mut(&tried.name) else { return Wrong::Again };
        known.is_somebodys = is_somebodys;
        let is_last = known.charged(tried).is_some_and(|count| count.count_wrong(WRONG_FOR_NAME));
        if is_last { Wrong::LastForName } else { Wrong::Again }
    }

    /// It was right; whether its user may log in once more.
    pub fn right(&mut self, tried: &Try, now_ms: u64) -> bool {
        // of a stranger's own tries none is left, but those of other strangers may be
        self.undone(tried);
        let known = self.name(tried.name.clone(), now_ms);
        known.is_somebodys = true;
        known.came_from(tried.place);
        known.right.take(now_ms)
    }

    /// Nobody could look at it.
    pub fn undone(&mut self, tried: &Try) {
        if !tried.is_familiar {
            for (network, _) in around(tried.place, WRONG_FROM) {
                self.places.get_mut(&network).into_iter().for_each(Count::give_back);
            }
        }
        let of_name = self.names.get_mut(&tried.name).and_then(|known| known.charged(tried));
        of_name.into_iter().for_each(Count::give_back);
    }

    /// What is to be kept of a name and a place as they stand now: what was kept of them before is
    /// replaced by it.
    pub fn kept(&self, name: &str, place: IpAddr, now_ms: u64) -> Vec<Kept> {
        let name = name.to_ascii_lowercase();
        let networks = around(place, WRONG_FROM);
        let of_network = |(network, _)| Kept::of("", Some(network), self.counted(network));
        let mut kept: Vec<_> = networks.map(of_network).collect();
        let Some(known) = self.names.get(&name) else { return kept };
        kept.push(Kept::of(&name, None, known.strangers));
        if let Some((_, count)) = known.familiar.iter().find(|(familiar, _)| *familiar == place) {
            let last_ms = if count.tries == 0 { now_ms } else { count.last_ms };
            let row = Kept::of(&name, Some(Network::own(place)), Count { last_ms, ..*count });
            kept.push(Kept { is_familiar: true, ..row });
        }
        kept
    }

    /// Takes up what was kept by an earlier process, the oldest first, once it is known which names
    /// are somebody's ([`Lockouts::belongs`]).
    pub fn take_up(&mut self, kept: Kept) {
        let Kept { name, place, tries, is_familiar, last_ms } = kept;
        // of one whose end was not known yet nobody will ever know more
        let count = Count { tries, wrong: tries, last_ms };
        match (name.is_empty(), place) {
            (true, Some(place)) => *self.place(place, last_ms) = count,
            (true, None) => {}
            (false, None) => self.name(name, last_ms).strangers = count,
            (false, Some(place)) => {
                let known = self.name(name, last_ms);
                known.is_somebodys |= is_familiar;
                known.came_from(place.address());
                if let Some(at_desk) = known.at_desk(place.address()) {
                    *at_desk = count;
                }
            }
        }
    }

    /// Somebody has this name. Its tries are pushed out by nobody's.
    pub fn belongs(&mut self, name: &str) {
        self.name(name.to_ascii_lowercase(), 0).is_somebodys = true;
    }

    /// The names that somebody has and of which tries are kept from places that nobody came from.
    pub fn somebodys(&self, now_ms: u64) -> Vec<String> {
        let of_late = |known: &Name| known.is_somebodys && known.strangers.is_of_late(now_ms);
        let names = self.names.iter().filter(|(_, known)| of_late(known));
        names.map(|(name, _)| name.clone()).collect()
    }

    /// How many charged places were forgotten since this was asked last.
    pub fn take_forgotten(&mut self) -> u64 {
        std::mem::take(&mut self.forgotten)
    }

    fn counted(&self, network: Network) -> Count {
        self.places.get(&network).copied().unwrap_or_default()
    }

    fn place(&mut self, network: Network, now_ms: u64) -> &mut Count {
        if !self.places.contains_key(&network) && self.places.len() >= REMEMBERED {
            let of_late = |count: &Count| if count.is_of_late(now_ms) { count.tries } else { 0 };
            let least = self.places.iter().min_by_key(|(_, count)| (of_late(count), count.last_ms));
            if let Some((least, count)) = least.map(|(least, count)| (*least, of_late(count))) {
                self.places.remove(&least);
                self.forgotten = self.forgotten.saturating_add(u64::from(count > 0));
            }
        }
        self.places.entry(network).or_default()
    }

    fn name(&mut self, name: String, now_ms: u64) -> &mut Name {
        if !self.names.contains_key(&name) {
            let nobodys = self.names.iter().filter(|(_, known)| !known.is_somebodys);
            if nobodys.clone().count() >= REMEMBERED {
                let oldest = nobodys.min_by_key(|(_, known)| known.tried_ms);
                if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                    self.names.remove(&oldest);
                }
            }
        }
        self.names.entry(name).or_insert_with(|| Name::new(now_ms))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    /// Tries until one is not looked at; how many were.
    fn guess(lockouts: &mut Lockouts, name: &str, from: IpAddr, now_ms: u64) -> u32 {
        let mut looked_at = 0;
        while let Ok(tried) = lockouts.begin(name, from, now_ms) {
            looked_at += 1;
            lockouts.wrong(&tried, true);
            assert!(looked_at < 1_000, "nothing ends it");
        }
        looked_at
    }

    #[test]
    fn what_is_kept_locks_as_long_as_what_it_was_kept_of() {
        let (mut before, desk, stranger) = (Lockouts::default(), place(1), place(2));
        let tried = before.begin("zhang", desk, 0).unwrap();
        assert!(before.right(&tried, 0));
        let mut kept = before.kept("zhang", desk, 0);
        assert_eq!(guess(&mut before, "Zhang", stranger, 1_000), 5);
        kept.extend(before.kept("Zhang", stranger, 1_000));
        assert_eq!(guess(&mut before, "nobody", stranger, 2_000), 5);
        kept.extend(before.kept("nobody", stranger, 2_000));
        let mut after = Lockouts::default();
        for row in kept {
            after.take_up(row);
        }
        for lockouts in [&mut before, &mut after] {
            for (name, waits) in [("zhang", 1_796), ("nobody", 1_797)] {
                let locked = lockouts.begin(name, stranger, 5_000);
                assert_eq!(locked, Err(Locked { seconds: waits }), "{name}");
            }
            let again = lockouts.begin("zhang", place(3), 5_000);
            assert_eq!(again, Err(Locked { seconds: 1_796 }), "from wherever else");
            // whoever sits at the desk is let in all the same
            let tried = lockouts.begin("zhang", desk, 5_000).unwrap();
            assert_eq!(lockouts.wrong(&tried, true), Wrong::Again);
        }
        assert_eq!(before.kept("zhang", desk, 5_000), after.kept("zhang", desk, 5_000));
    }

    #[test]
    fn five_wrong_passwords_lock_a_name_for_half_an_hour_whoever_has_it() {
        for is_somebodys in [true, false] {
            let (mut lockouts, here) = (Lockouts::default(), place(1));
            for _ in 0..4 {
                let tried = lockouts.begin("zhang", here, 0).unwrap();
                assert_eq!(lockouts.wrong(&tried, is_somebodys), Wrong::Again);
            }
            let tried = lockouts.begin("Zhang", here, 7).unwrap();
            assert_eq!(lockouts.wrong(&tried, is_somebodys), Wrong::LastForName);
            assert_eq!(lockouts.begin("zhang", here, 7), Err(Locked { seconds: 1_800 }));
            // from wherever else, too, and another name is not
            assert!(lockouts.begin("zhang", place(2), 8).is_err());
            assert!(lockouts.begin("li", here, 8).is_ok());
            assert_eq!(lockouts.begin("zhang", here, LOCK_MS + 6), Err(Locked { seconds: 1 }));
            assert!(lockouts.begin("zhang", here, LOCK_MS + 7).is_ok());
        }
    }

    #[test]
    fn who_guesses_does_not_lock_out_whoever_was_there_before() {
        let (mut lockouts, desk) = (Lockouts::default(), place(1));
        let tried = lockouts.begin("zhang", desk, 0).unwrap();
        assert!(lockouts.right(&tried, 0));
        for stranger in 2..50 {
            let looked_at = guess(&mut lockouts, "zhang", place(stranger), 5);
            assert_eq!(looked_at, if stranger == 2 { 5 } else { 0 });
        }
        let tried = lockouts.begin("zhang", desk, 6).unwrap();
        assert!(lockouts.right(&tried, 6));
        // and whoever guesses at that desk locks it alone
        assert_eq!(guess(&mut lockouts, "zhang", desk, 7), 5);
        assert!(lockouts.begin("zhang", desk, 8).is_err());
    }

    #[test]
    fn a_right_password_takes_back_what_its_own_tries_were_charged() {
        let (mut lockouts, here) = (Lockouts::default(), place(1));
        for now in 0..20 {
            let tried = lockouts.begin("zhang", here, now).unwrap();
            assert!(lockouts.right(&tried, now));
        }
        for _ in 0..100 {
            let tried = lockouts.begin("zhang", here, 20).unwrap();
            lockouts.undone(&tried);
        }
        assert_eq!(guess(&mut lockouts, "zhang", here, 21), 5);
    }

    #[test]
    fn tries_at_the_same_time_are_as_many_as_one_after_the_other() {
        let (mut lockouts, here) = (Lockouts::default(), place(1));
        let begun = (0..100).filter(|_| lockouts.begin("zhang", here, 0).is_ok()).count();
        assert_eq!(begun, 5);
    }

    #[test]
    fn a_place_that_tries_many_names_is_locked_and_others_are_not() {
        let (mut lockouts, here) = (Lockouts::default(), place(1));
        let mut looked_at = 0;
        for name in 0..100 {
            looked_at += u32::from(lockouts.begin(&format!("user{name}"), here, 0).is_ok());
        }
        assert_eq!(looked_at, 30);
        assert!(lockouts.begin("zhang", place(2), 0).is_ok());
        assert!(lockouts.begin("zhang", here, LOCK_MS).is_ok());
    }

    #[test]
    fn somebody_logs_in_so_often_and_then_once_a_minute() {
        let (mut lockouts, here) = (Lockouts::default(), place(1));
        let mut right = |now: u64| {
            let tried = lockouts.begin("zhang", here, now).unwrap();
            lockouts.right(&tried, now)
        };
        assert_eq!((0..100).filter(|_| right(0)).count(), 30);
        assert!(!right(59_999) && right(60_000));
    }

    #[test]
    fn what_is_remembered_has_a_bound_and_those_who_guess_push_out_nobody() {
        let (mut lockouts, desk) = (Lockouts::default(), place(1));
        assert_eq!(guess(&mut lockouts, "zhang", desk, 0), 5);
        for number in 0..10_000_u32 {
            let from = place(100 + number);
            let tried = lockouts.begin(&format!("nobody{number}"), from, 1).unwrap();
            lockouts.wrong(&tried, false);
            assert!(lockouts.names.len() <= REMEMBERED + 1);
            assert!(lockouts.places.len() <= REMEMBERED);
        }
        assert!(lockouts.begin("zhang", desk, 2).is_err(), "somebody's lock holds");
    }

    #[test]
    fn a_full_table_of_places_forgives_nobody_and_counts_on() {
        let (mut lockouts, locked) = (Lockouts::default(), place(1));
        let tries_many = |lockouts: &mut Lockouts, from: IpAddr| {
            let names = (0..100).map(|number| format!("user{number}"));
            names.filter(|name| lockouts.begin(name, from, 1).is_ok()).count()
        };
        assert_eq!(tries_many(&mut lockouts, locked), 30);
        // broken off, all of them: what became of them is never known
        for number in 0..4_700_u32 {
            let tried = lockouts.begin(&format!("nobody{number}"), place(100 + number), 1);
            assert!(tried.is_ok());
        }
        assert!(lockouts.begin("li", locked, 2).is_err(), "its lock holds");
        assert_eq!(tries_many(&mut lockouts, place(2)), 30, "and that of one who comes later");
        assert!(lockouts.places.len() <= REMEMBERED);
        assert_eq!(lockouts.take_forgotten(), 4_702 - 4_096);
        assert_eq!(lockouts.take_forgotten(), 0);
    }

    #[test]
    fn networks_are_locked_like_places_and_let_in_who_comes_from_there() {
        let from = |number: u16| IpAddr::from([0x2001, 0xdb8, 1, number, 0, 0, 0, 0]);
        let (mut lockouts, mut looked_at) = (Lockouts::default(), 0);
        let tried = lockouts.begin("zhang", from(7), 0).unwrap();
        assert!(lockouts.right(&tried, 0));
        let mut many = |networks: std::ops::Range<u16>| {
            let before = looked_at;
            for number in networks {
                looked_at +=
                    usize::from(lockouts.begin(&format!("n{number}"), from(number), 1).is_ok());
            }
            looked_at - before
        };
        assert_eq!(many(0..256), 120, "of a network of 56 bits");
        assert_eq!(many(256..0x1000), 360, "of one of 48");
        assert!(lockouts.begin("li", from(0x2000), 2).is_err());
        assert!(lockouts.begin("zhang", from(7), 2).is_ok());
        assert!(lockouts.begin("li", "2001:db8:2::".parse().unwrap(), 2).is_ok());
        let mut after = Lockouts::default();
        lockouts.kept("li", from(0), 2).into_iter().for_each(|kept| after.take_up(kept));
        assert!(after.begin("li", from(0x2000), 3).is_err(), "after a restart as well");
    }

    #[test]
    fn a_lock_of_somebody_who_never_logged_in_holds_after_a_restart_as_well() {
        let (mut before, from) = (Lockouts::default(), place(1));
        assert_eq!(guess(&mut before, "zhang", from, 0), 5);
        let mut lockouts = Lockouts::default();
        lockouts.belongs("zhang");
        before.kept("zhang", from, 0).into_iter().for_each(|kept| lockouts.take_up(kept));
        for number in 0..10_000_u32 {
            let from = place(100 + number);
            let tried = lockouts.begin(&format!("nobody{number}"), from, 1).unwrap();
            lockouts.wrong(&tried, false);
        }
        assert!(lockouts.begin("zhang", place(2), 2).is_err(), "its lock is pushed out");
    }

    #[test]
    fn a_lock_of_somebody_is_taken_up_however_many_names_were_tried_after_it() {
        let (mut before, from) = (Lockouts::default(), place(1));
        assert_eq!(guess(&mut before, "zhang", from, 0), 5);
        let mut kept = before.kept("zhang", from, 0);
        for number in 0..10_000 {
            let name = format!("nobody{number}");
            kept.push(Kept { name, place: None, tries: 1, is_familiar: false, last_ms: 1 });
        }
        let mut lockouts = Lockouts::default();
        lockouts.belongs("zhang");
        for kept in kept {
            lockouts.take_up(kept);
        }
        assert!(lockouts.begin("zhang", place(2), 2).is_err(), "its lock is pushed out");
        assert!(lockouts.names.len() <= REMEMBERED + 1);
    }

    #[test]
    fn a_lock_is_told_once_however_many_tries_were_made_at_the_same_moment() {
        let (mut lockouts, here) = (Lockouts::default(), place(1));
        for half_hour in 0..2 {
            let now_ms = half_hour * LOCK_MS;
            let mut tries: Vec<_> =
                (0..5).map(|_| lockouts.begin("zhang", here, now_ms).unwrap()).collect();
            // one of them turns out to be looked at by nobody, so that a further one is
            assert_eq!(lockouts.wrong(&tries.remove(0), true), Wrong::Again);
            lockouts.undone(&tries.remove(0));
            tries.push(lockouts.begin("zhang", here, now_ms).unwrap());
            let told: Vec<_> = tries.iter().map(|tried| lockouts.wrong(tried, true)).collect();
            assert_eq!(told, [Wrong::Again, Wrong::Again, Wrong::Again, Wrong::LastForName]);
        }
    }

    #[test]
    fn who_logs_in_twice_at_the_same_moment_leaves_no_try_behind() {
        let (mut lockouts, desk) = (Lockouts::default(), place(1));
        let both = [(); 2].map(|()| lockouts.begin("zhang", desk, 0).unwrap());
        assert!(both.iter().all(|tried| lockouts.right(tried, 0)));
        assert!(lockouts.kept("zhang", desk, 0).iter().all(|kept| kept.tries == 0));
    }

    proptest! {
        /// From an office of one address: guesses for users who come from there, for others, and for
        /// names that nobody has, in whatever order, and users who know their passwords meanwhile.
        #[test]
        fn guesses_at_an_office_keep_out_nobody_who_comes_from_there_and_are_few(
            guesses in prop::collection::vec((0_usize..12, 0_u64..60_000), 1..200),
        ) {
            let (mut lockouts, office) = (Lockouts::default(), place(1));
            let names: Vec<_> = (0..12).map(|number| format!("user{number}")).collect();
            let (at_desk, others) = names.split_at(4);
            for name in at_desk {
                let tried = lockouts.begin(name, office, 0).unwrap();
                lockouts.right(&tried, 0);
            }
            let (mut now, mut looked_at) = (0, Vec::new());
            for (number, wait) in guesses {
                now += wait;
                // the first of them is never guessed, and comes whenever others are
                let tried = lockouts.begin(&at_desk[0], office, now);
                prop_assert!(tried.is_ok(), "kept out after {looked_at:?}");
                lockouts.undone(&tried.unwrap());
                let name = &names[number.max(1)];
                if let Ok(tried) = lockouts.begin(name, office, now) {
                    lockouts.wrong(&tried, true);
                    looked_at.push((name, now));
                }
                let of_late = |of: &dyn Fn(&String) -> bool| {
                    looked_at.iter().filter(|(name, at)| at + LOCK_MS > now && of(name)).count()
                };
                prop_assert!(of_late(&|name| others.contains(name)) <= 30, "{looked_at:?}");
                for name in &names {
                    prop_assert!(of_late(&|other| other == name) <= 5, "{looked_at:?}");
                }
            }
        }

        #[test]
        fn no_more_than_five_are_looked_at_in_any_half_hour(
            waits in prop::collection::vec(0_u64..LOCK_MS / 3, 1..60),
        ) {
            let (mut lockouts, here) = (Lockouts::default(), place(1));
            let (mut now, mut looked_at) = (0, Vec::new());
            for wait in waits {
                now += wait;
                if let Ok(tried) = lockouts.begin("zhang", here, now) {
                    lockouts.wrong(&tried, true);
                    looked_at.push(now);
                }
                let of_late = looked_at.iter().filter(|at| **at + LOCK_MS > now).count();
                prop_assert!(of_late <= 5, "{looked_at:?}");
            }
        }
    }
}
