//! A month of a river in seconds: the agent's rules, a link that loses and delays, ingest,
//! compliance and alerting on one clock that is moved by hand, in one thread, out of a seed,
//! against a judge that only adds up water.
//!
//! The server dies at any step between two commits, the store's files are all that stays, and its
//! clock is set; channels take, refuse and keep silent, and somebody takes alarms on. What the
//! judge says of every hour and day, and of every episode, must be what the engine says.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails ends by a panic"
)]

mod gateway;
mod judge;
mod month;
mod phone;
mod registry;
mod river;
mod server;
mod told;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    sync::atomic::{AtomicU64, Ordering},
};

use judge::{Law, episodes::Episode};
use model::{time::Timestamp, verdict::Length};
use month::{MONTH, Month};
use river::DAY;

/// Seeds of a run.
const SEEDS: u64 = 50;

/// What came of one seed.
#[derive(Debug, Default)]
struct Outcome {
    /// Verdicts, and the rules of episodes.
    kinds: BTreeSet<String>,
    versions: u32,
    episodes: usize,
    messages: usize,
}

fn run(seed: u64) -> Outcome {
    let mut month = Month::new(seed);
    month.pass();
    let law = Law::read(&month.text);
    let mut outcome = Outcome::default();
    compare_verdicts(&month, &law, &mut outcome);
    // what a clock that was ahead has closed is taken back once it is put right
    assert!(
        month.longest > DAY || !month.is_steady || outcome.versions == 1,
        "seed {seed}: something was closed while it was known that more would come"
    );
    compare_episodes(&month, &law, &mut outcome);
    outcome.messages = told::check(&month);
    outcome
}

/// The newest version of each period is what the judge says.
fn compare_verdicts(month: &Month, law: &Law, outcome: &mut Outcome) {
    let Month { seed, text, .. } = month;
    let from = month.begin.as_ms() / 1_000;
    let to = from + MONTH * 60;
    let mut found = BTreeMap::new();
    for by in [Length::Hour, Length::Day] {
        for row in month.server.verdicts(by) {
            let Some(verdict) = row.verdict else { continue };
            outcome.versions = outcome.versions.max(row.version);
            found.insert(
                (by == Length::Day, row.span.from.as_ms() / 1_000),
                (row.version, verdict.word()),
            );
        }
    }
    let judged = law.judge(&month.readings, from, to);
    let first = judged.first().map_or(to, |(_, at, _)| *at);
    assert!(
        found.keys().all(|(_, at)| *at >= first.min(to)),
        "seed {seed}: something was judged before enough was known\n{text}"
    );
    for (is_day, at, verdict) in judged {
        let row = found.get(&(is_day, at)).copied();
        let when = Timestamp::clamped(at * 1_000);
        let is_so = row.is_some_and(|(version, word)| version > 0 && word == verdict);
        assert!(
            is_so,
            "seed {seed}: {} from {when}: the engine says {row:?}, the judge {verdict}\n{text}",
            if is_day { "the day" } else { "the hour" }
        );
        outcome.kinds.insert(verdict.to_owned());
    }
}

/// Every alarm that was raised is an episode of the judge's, and the other way round; and every run
/// that was long enough was told, be it by the digest.
fn compare_episodes(month: &Month, law: &Law, outcome: &mut Outcome) {
    let Month { seed, text, .. } = month;
    let expected = law.watch(&month.server.looks);
    let alarms = month.server.alarms(100_000);
    let chatters = |facts: &store::AlarmFacts| facts.row.facts.contains("\"chatters\":true");
    if alarms.iter().any(chatters) {
        outcome.kinds.insert("chatters".to_owned());
    }
    let raised = alarms.iter().filter_map(|facts| {
        Some(Episode {
            rule: facts.row.rule.to_string(),
            subject: facts.row.subject.to_string(),
            began: facts.row.began_at.as_ms(),
            raised: facts.row.raised_at?.as_ms(),
            cleared: facts.row.cleared_at.map(Timestamp::as_ms),
        })
    });
    let found: BTreeSet<Episode> = raised.collect();
    let expected_set: BTreeSet<Episode> = expected.episodes.iter().cloned().collect();
    let shown = |episodes: Vec<&Episode>| -> String {
        let when = |ms: i64| Timestamp::clamped(ms).to_string();
        let line = |e: &Episode| {
            let cleared = e.cleared.map_or_else(|| "stands".to_owned(), when);
            format!(
                "  {} {}: {}, raised {}, {cleared}",
                e.rule,
                e.subject,
                when(e.began),
                when(e.raised)
            )
        };
        episodes.into_iter().map(line).collect::<Vec<_>>().join("\n")
    };
    assert!(
        found == expected_set,
        "seed {seed}: episodes differ; the engine alone says\n{}\nthe judge alone\n{}\n{text}",
        shown(found.difference(&expected_set).collect()),
        shown(expected_set.difference(&found).collect()),
    );
    let digest = month.breaches();
    for (rule, from, to) in &expected.runs {
        let of_alarm = |e: &Episode| {
            e.rule == *rule && e.began < *to && e.cleared.is_none_or(|cleared| *from < cleared)
        };
        let of_digest =
            |(of, begin, end): &(String, i64, i64)| of == rule && begin < to && from < end;
        assert!(
            found.iter().any(of_alarm) || digest.iter().any(of_digest),
            "seed {seed}: {rule} told nobody of {} to {}\n{text}",
            Timestamp::clamped(*from),
            Timestamp::clamped(*to),
        );
    }
    outcome.episodes = found.len();
    outcome.kinds.extend(found.into_iter().map(|episode| episode.rule));
}

/// `BASEFLOW_SEED` runs that one alone, or some: `1-24`.
fn seeds() -> RangeInclusive<u64> {
    #[expect(clippy::disallowed_methods, reason = "a test has no settings")]
    let asked = std::env::var("BASEFLOW_SEED").ok();
    let Some(asked) = asked else { return 1..=SEEDS };
    let (first, last) = asked.split_once('-').unwrap_or((&asked, &asked));
    first.parse().unwrap()..=last.parse().unwrap()
}

/// Takes the seeds away where one has failed: another would only tell the same.
struct Seeds(AtomicU64);

impl Seeds {
    fn run_until(&self, last: u64) -> Vec<Outcome> {
        let _stops = StopsAll(self);
        let seeds = std::iter::repeat_with(|| self.0.fetch_add(1, Ordering::Relaxed));
        seeds.take_while(|seed| *seed <= last).map(run).collect()
    }
}

struct StopsAll<'a>(&'a Seeds);

impl Drop for StopsAll<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.0.store(u64::MAX / 2, Ordering::Relaxed);
        }
    }
}

#[test]
fn engine_and_judge_agree_on_every_hour_day_and_episode_of_every_month() {
    let asked = seeds();
    let (seeds, last) = (Seeds(AtomicU64::new(*asked.start())), *asked.end());
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let halves = [(); 2].map(|()| scope.spawn(|| seeds.run_until(last)));
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    let (episodes, messages) = outcomes.iter().fold((0, 0), |(episodes, messages), outcome| {
        (episodes + outcome.episodes, messages + outcome.messages)
    });
    let kinds: BTreeSet<&String> = outcomes.iter().flat_map(|outcome| &outcome.kinds).collect();
    println!("seeds {asked:?}: {kinds:?}, {episodes} episodes, {messages} messages");
    if asked == (1..=SEEDS) {
        let all = ["chatters", "indeterminate", "low", "met", "scant", "short", "silent"];
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), all);
        assert!(outcomes.iter().any(|outcome| outcome.versions > 1), "something came late");
    }
}

/// It would be no judge if it knew what it judges.
#[test]
fn the_judge_knows_nothing_of_the_product() {
    for text in [include_str!("judge.rs"), include_str!("judge/episodes.rs")] {
        let uses = text.lines().filter_map(|line| line.strip_prefix("use "));
        let roots: BTreeSet<&str> = uses.map(|path| path.split("::").next().unwrap()).collect();
        let known = BTreeSet::from(["std", "jiff", "super"]);
        assert!(roots.is_subset(&known), "{roots:?}");
    }
}
