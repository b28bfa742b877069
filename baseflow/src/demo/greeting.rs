//! What is said once everything runs: where, who may log in, and what to look out for.

use std::{fmt, net::SocketAddr, path::Path};

use model::time::{Timestamp, Zone};

use super::{
    river,
    story::{Plot, STORIES},
};

/// Somebody who may log in.
#[derive(Debug)]
pub(super) struct LogIn {
    /// The name.
    pub(super) name: &'static str,
    /// Made for this run.
    pub(super) password: String,
}

/// The text.
#[derive(Debug)]
pub(super) struct Greeting<'g> {
    /// Where the pages are: addresses that one can open, the one on this machine first.
    pub(super) pages: &'g [SocketAddr],
    /// Where every message is to be read in full.
    pub(super) messages: &'g Path,
    /// Who may log in.
    pub(super) log_ins: &'g [LogIn],
    /// When the demonstration was started.
    pub(super) start: Timestamp,
    /// The stations' zone.
    pub(super) zone: &'g Zone,
    /// Where it keeps all.
    pub(super) folder: &'g Path,
}

impl fmt::Display for Greeting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pages, messages, log_ins, start, zone, folder } = self;
        let line = "─".repeat(88);
        writeln!(f, "\n{line}")?;
        writeln!(f, "基流演示  Baseflow, a demonstration: 29 stations, all of them made up")?;
        writeln!(f)?;
        for (place, address) in pages.iter().enumerate() {
            let label = if place == 0 { "网址 pages   " } else { "             " };
            writeln!(f, "  {label} http://{address}/")?;
        }
        for (place, LogIn { name, password }) in log_ins.iter().enumerate() {
            let label = if place == 0 { "登录 log in" } else { "           " };
            writeln!(f, "  {label}   {name:<8} {password}")?;
        }
        writeln!(f, "\n  看什么 what to watch (北京时间 times of the stations)")?;
        for story in &STORIES {
            let site = river::site(story.site);
            let (name, english) = site.map_or(("", ""), |site| (site.name, site.english));
            let from = clock_time(start.plus_ms(story.first_ms), zone);
            let to = clock_time(start.plus_ms(story.first_ms + story.lasts_ms), zone);
            let every = story.every_ms / 60_000;
            let (zh, en) = words(story.plot);
            writeln!(f, "  {from}–{to}  {name}{zh}")?;
            writeln!(f, "                     {english}: {en}; again every {every} min")?;
        }
        writeln!(f, "\n  短信 messages {}", messages.display())?;
        writeln!(f, "  文件 files    {}", folder.display())?;
        writeln!(f, "  停止 stop     Ctrl-C; --fresh 重新开始 begins again")?;
        write!(f, "{line}")
    }
}

const fn words(plot: Plot) -> (&'static str, &'static str) {
    match plot {
        Plot::Falls => (
            "流量降到核定值以下：总览变色，报警，短信",
            "below its mandate: overview, alarm, message",
        ),
        Plot::LosesLink => (
            "断线后补传：图上的缺口自己补上",
            "cut off, then backfills: the gap in its chart closes by itself",
        ),
        Plot::Sticks => ("流量计卡住：报警", "its meter sticks: an alarm"),
    }
}

/// Hours, minutes and seconds.
pub(super) fn clock_time(at: Timestamp, zone: &Zone) -> String {
    at.in_zone(zone).get(11..).unwrap_or_default().to_owned()
}
