//! What is said once everything runs: where, who may log in, and what to look out for.

use std::{fmt, net::SocketAddr, path::Path};

use model::time::{Timestamp, Zone};

use super::{
    river,
    story::{Plot, STORIES, Story},
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
        writeln!(
            f,
            "基流演示：29 座站点，均为虚构\nBaseflow, a demonstration: 29 stations, all of them made up"
        )?;
        writeln!(f)?;
        for (place, address) in pages.iter().enumerate() {
            let label = if place == 0 { "网址 pages   " } else { "             " };
            writeln!(f, "  {label} http://{address}/")?;
        }
        for (place, LogIn { name, password }) in log_ins.iter().enumerate() {
            let label = if place == 0 { "登录 log in" } else { "           " };
            writeln!(f, "  {label}   {name:<8} {password}")?;
        }
        writeln!(f, "\n  看什么（北京时间）")?;
        for story in &STORIES {
            let Told { name, from, to, alarm, every } = Told::of(story, (*start, zone));
            let Words { what, seen, after } = chinese(story.plot);
            writeln!(f, "  {from}–{to}  {name}：{what}，每 {every} 分钟一次")?;
            writeln!(f, "    约 {alarm} 起：{seen}")?;
            writeln!(f, "    {to} 起：{after}")?;
        }
        writeln!(f, "\n  what to watch (Beijing time; names as the pages show them)")?;
        for story in &STORIES {
            let Told { name, from, to, alarm, every } = Told::of(story, (*start, zone));
            let Words { what, seen, after } = english(story.plot);
            writeln!(f, "  {from}–{to}  {name}: {what}, every {every} min")?;
            writeln!(f, "    from about {alarm}: {seen}")?;
            writeln!(f, "    from {to}: {after}")?;
        }
        writeln!(f, "\n  短信 messages {}", messages.display())?;
        writeln!(f, "  文件 files    {}", folder.display())?;
        writeln!(f, "  停止 stop     Ctrl-C; --fresh 重新开始 begins again")?;
        write!(f, "{line}")
    }
}

/// A story as it goes this time.
struct Told {
    /// The station, as the pages show it in every language.
    name: &'static str,
    from: String,
    to: String,
    /// About when its alarm is raised.
    alarm: String,
    /// Minutes from one beginning to the next.
    every: i64,
}

impl Told {
    fn of(story: &Story, (start, zone): (Timestamp, &Zone)) -> Self {
        let at = |ms| clock_time(start.plus_ms(story.first_ms + ms), zone);
        Self {
            name: river::site(story.site).map_or("", |site| site.name),
            from: at(0),
            to: at(story.lasts_ms),
            alarm: at(story.told_ms),
            every: story.every_ms / 60_000,
        }
    }
}

/// What is to be seen of a story, and on which page.
struct Words {
    what: &'static str,
    /// Once its alarm is raised.
    seen: &'static str,
    /// Once it is over.
    after: &'static str,
}

const fn chinese(plot: Plot) -> Words {
    match plot {
        Plot::Falls => Words {
            what: "下泄流量降到核定值以下",
            seen: "「告警台」出现橙色告警，发出短信（「通知」页）；「实时总览」此前约半分钟已显示「未达标」",
            after: "流量回升，约半分钟后告警结束，再发短信",
        },
        Plot::LosesLink => Words {
            what: "网关断线，读数存在网关上",
            seen: "「告警台」出现黄色告警「数据中断」，发出短信（「通知」页）；「实时总览」此前约半分钟已显示「数据中断」",
            after: "连接恢复，网关补传，电站页的「缺测时段」和「流量过程」的缺口自己补上；约 1 分钟后告警结束，再发短信",
        },
        Plot::Sticks => Words {
            what: "流量计卡住，读数不再变化",
            seen: "「告警台」出现蓝色告警「读数卡住不变」，发出短信（「通知」页）；「实时总览」仍按此读数显示「达标」",
            after: "读数恢复变化，不到 1 分钟告警结束，再发短信",
        },
    }
}

const fn english(plot: Plot) -> Words {
    match plot {
        Plot::Falls => Words {
            what: "releases less than its mandate",
            seen: "an orange alarm on «Alarms»; an SMS on «Messages»; «Overview» has said «Short» for half a minute",
            after: "it recovers; about half a minute later the alarm is over, and an SMS says so",
        },
        Plot::LosesLink => Words {
            what: "its gateway loses the link and keeps the readings",
            seen: "a yellow alarm, no data from a gauge, on «Alarms»; an SMS on «Messages»; «Overview» has said\n      «No data» for half a minute",
            after: "what was kept comes, and the gap in «Flow» on the station's page closes; about a minute later\n      the alarm is over, and an SMS says so",
        },
        Plot::Sticks => Words {
            what: "its meter sticks and says the same again and again",
            seen: "a blue alarm, gauge stuck, on «Alarms»; an SMS on «Messages»; «Overview» believes the\n      meter and goes on saying «Met»",
            after: "its meter moves again; within a minute the alarm is over, and an SMS says so",
        },
    }
}

/// Hours, minutes and seconds.
pub(super) fn clock_time(at: Timestamp, zone: &Zone) -> String {
    at.in_zone(zone).get(11..).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn every_story_is_named_with_its_station_its_time_and_the_pages_that_show_it() {
        let pages = ["127.0.0.1:8080".parse().unwrap()];
        let log_ins = [LogIn { name: "duty", password: "secret".to_owned() }];
        let greeting = Greeting {
            pages: &pages,
            messages: Path::new("/demo/messages.jsonl"),
            log_ins: &log_ins,
            start: "2026-11-27T14:05:00+08:00".parse().unwrap(),
            zone: &Zone::named(Zone::USUAL).unwrap(),
            folder: Path::new("/demo"),
        };
        expect![[r#"

            ────────────────────────────────────────────────────────────────────────────────────────
            基流演示：29 座站点，均为虚构
            Baseflow, a demonstration: 29 stations, all of them made up

              网址 pages    http://127.0.0.1:8080/
              登录 log in   duty     secret

              看什么（北京时间）
              14:05:40–14:09:40  雪线沟（示例）：下泄流量降到核定值以下，每 40 分钟一次
                约 14:06:10 起：「告警台」出现橙色告警，发出短信（「通知」页）；「实时总览」此前约半分钟已显示「未达标」
                14:09:40 起：流量回升，约半分钟后告警结束，再发短信
              14:07:00–14:14:00  双树坪（示例）：网关断线，读数存在网关上，每 50 分钟一次
                约 14:10:35 起：「告警台」出现黄色告警「数据中断」，发出短信（「通知」页）；「实时总览」此前约半分钟已显示「数据中断」
                14:14:00 起：连接恢复，网关补传，电站页的「缺测时段」和「流量过程」的缺口自己补上；约 1 分钟后告警结束，再发短信
              14:08:00–14:17:00  鹿鸣滩（示例）：流量计卡住，读数不再变化，每 60 分钟一次
                约 14:10:10 起：「告警台」出现蓝色告警「读数卡住不变」，发出短信（「通知」页）；「实时总览」仍按此读数显示「达标」
                14:17:00 起：读数恢复变化，不到 1 分钟告警结束，再发短信

              what to watch (Beijing time; names as the pages show them)
              14:05:40–14:09:40  雪线沟（示例）: releases less than its mandate, every 40 min
                from about 14:06:10: an orange alarm on «Alarms»; an SMS on «Messages»; «Overview» has said «Short» for half a minute
                from 14:09:40: it recovers; about half a minute later the alarm is over, and an SMS says so
              14:07:00–14:14:00  双树坪（示例）: its gateway loses the link and keeps the readings, every 50 min
                from about 14:10:35: a yellow alarm, no data from a gauge, on «Alarms»; an SMS on «Messages»; «Overview» has said
                  «No data» for half a minute
                from 14:14:00: what was kept comes, and the gap in «Flow» on the station's page closes; about a minute later
                  the alarm is over, and an SMS says so
              14:08:00–14:17:00  鹿鸣滩（示例）: its meter sticks and says the same again and again, every 60 min
                from about 14:10:10: a blue alarm, gauge stuck, on «Alarms»; an SMS on «Messages»; «Overview» believes the
                  meter and goes on saying «Met»
                from 14:17:00: its meter moves again; within a minute the alarm is over, and an SMS says so

              短信 messages /demo/messages.jsonl
              文件 files    /demo
              停止 stop     Ctrl-C; --fresh 重新开始 begins again
            ────────────────────────────────────────────────────────────────────────────────────────"#]]
        .assert_eq(&greeting.to_string());
    }
}
