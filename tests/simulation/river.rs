//! What happens to a river, to the link of its gateway and to the server in a month, out of a seed.

/// Minutes in a day.
pub(crate) const DAY: i64 = 1_440;

/// Numbers that look like chance and are the same for each seed (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    /// What one seed draws has nothing to do with what the next one does: a state that is mixed is
    /// nowhere near on the same round.
    pub(crate) fn new(seed: u64) -> Self {
        Self(Self(seed).next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From `from` to before `to`.
    pub(crate) fn between(&mut self, from: i64, to: i64) -> i64 {
        let width = u64::try_from(to - from).unwrap().max(1);
        from + i64::try_from(self.next() % width).unwrap()
    }

    /// True in so many of a hundred cases.
    pub(crate) fn percent(&mut self, percent: i64) -> bool {
        self.between(0, 100) < percent
    }

    pub(crate) fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.between(0, i64::try_from(all.len()).unwrap())).unwrap()]
    }
}

/// Something that is one way for a while and then another; minutes from the start.
#[derive(Debug, Clone)]
pub(crate) struct Spells<T>(Vec<(i64, T)>);

impl<T: Copy> Spells<T> {
    /// Until `end`, each spell of a length and a kind that `next` draws.
    pub(crate) fn new(end: i64, first: T, mut next: impl FnMut() -> (i64, T)) -> Self {
        // the first two hours are quiet, so that the section begins there
        let (mut at, mut spells) = (120, vec![(0, first)]);
        while at < end {
            let (length, kind) = next();
            spells.push((at, kind));
            at += length;
        }
        Self(spells)
    }

    pub(crate) fn at(&self, minute: i64) -> T {
        let after = self.0.partition_point(|(from, _)| *from <= minute);
        self.0[after - 1].1
    }
}

/// What an outlet's meter does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meter {
    /// It says about so many ml/s.
    Says(i64),
    /// It says what makes exactly so much together with the other outlet.
    Exactly(i64),
    /// It answers, and its value is not good.
    Broken,
    /// It does not answer.
    Dead,
    /// It answers every other time.
    Stutters(i64),
}

/// What the seasons mandate, whole and at a factor of 0.95.
const ENOUGH: [i64; 4] = [1_200_000, 1_140_000, 750_000, 712_500];

/// An outlet's month; `share` is about what it owes.
pub(crate) fn meter(chance: &mut Chance, end: i64, share: i64) -> Spells<Meter> {
    Spells::new(end, Meter::Says(share * 11 / 10), || {
        let length = match chance.between(0, 10) {
            0..5 => chance.between(5, 120),
            5..9 => chance.between(120, DAY),
            _ => chance.between(DAY, 3 * DAY),
        };
        let flow = share * chance.between(60, 140) / 100;
        let meter = match chance.between(0, 20) {
            0..8 => Meter::Says(share * chance.between(100, 120) / 100),
            8..11 => Meter::Says(flow),
            11..15 => Meter::Exactly(*chance.of(&ENOUGH)),
            15 => Meter::Broken,
            16..18 => Meter::Stutters(flow),
            _ => Meter::Dead,
        };
        let length =
            if matches!(meter, Meter::Dead | Meter::Broken) { length.min(400) } else { length };
        (length, meter)
    })
}

/// When the link stands; it is away for `longest` minutes at most.
pub(crate) fn link(chance: &mut Chance, end: i64, longest: i64) -> Spells<bool> {
    let mut is_up = true;
    Spells::new(end, true, || {
        is_up = !is_up;
        let length = match (is_up, chance.between(0, 10)) {
            (true, _) => chance.between(60, 2 * DAY),
            (false, 0..8) => chance.between(1, 90),
            (false, _) => chance.between(90, longest),
        };
        (length, is_up)
    })
}

/// What the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serving {
    /// It looks when something comes, and every ten minutes: too seldom to hear a silence.
    Dozes,
    /// It looks twice a minute.
    Watches,
    /// It looks, and is cut off from its broker.
    Deaf,
    /// It is killed, and starts again at the end.
    Down,
}

/// The server's month.
pub(crate) fn serving(chance: &mut Chance, end: i64) -> Spells<Serving> {
    Spells::new(end, Serving::Dozes, || match chance.between(0, 20) {
        0..9 => (chance.between(60, 2 * DAY), Serving::Dozes),
        9..15 => (chance.between(60, 180), Serving::Watches),
        15..17 => (chance.between(1, 60), Serving::Deaf),
        _ => (chance.between(1, 60), Serving::Down),
    })
}

/// By how many seconds the server's clock is wrong.
pub(crate) fn offset(chance: &mut Chance, end: i64) -> Spells<i64> {
    let is_steady = chance.percent(60);
    Spells::new(end, 0, || {
        let offset = *chance.of(&[0, 0, 0, -90, 60, 600, 1_200, 7_200]);
        (chance.between(60, 3 * DAY), if is_steady { 0 } else { offset })
    })
}
