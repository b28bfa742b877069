//! The words that people read, in each language once: messages, pages and reports take them here.

use crate::{alarm::AlarmEnd, contact::Locale};

macro_rules! phrases {
    ($($(#[$doc:meta])* $name:ident = $key:literal, $chinese:literal, $english:literal;)+) => {
        /// Something that is said to people.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Phrase {
            $($(#[$doc])* $name,)+
        }

        impl Phrase {
            /// Every phrase with the key under which a dictionary file holds it.
            pub const KEYS: &'static [(&'static str, Self)] = &[$(($key, Self::$name)),+];

            /// Its words in this language; what stands in braces is for the speaker to fill in.
            pub const fn in_language(self, locale: Locale) -> &'static str {
                match (self, locale) {
                    $((Self::$name, Locale::Chinese) => $chinese,
                    (Self::$name, Locale::English) => $english,)+
                }
            }
        }
    };
}

phrases! {
    /// Before a message that is practice.
    Drill = "drill", "【演练】", "DRILL ";
    /// Before a message that repeats what nobody has answered.
    Reminder = "reminder", "【提醒】", "REMINDER ";
    /// Before a message of an alarm that comes and goes.
    Chatters = "chatters", "【反复】", "REPEATED ";
    /// Released flow is below what is mandated.
    BelowMandate = "below_mandate",
        "{station}下泄{released}，低于核定{required}m³/s{share}，{since}起。",
        "{station}: flow {released} below {required} m3/s{share} since {since}.";
    /// Released flow is what it must be again.
    BackAtMandate = "back_at_mandate",
        "{station}已恢复：下泄{released}，核定{required}m³/s，{since}至{until}不足。",
        "{station}: back to normal, flow {released} of {required} m3/s, low {since} to {until}.";
    /// Released flow is above the share of the mandate again that a rule asks for, and below the mandate.
    AboveShare = "above_share",
        "{station}下泄{released}，{until}已升至核定{required}m³/s{share}以上{still}。",
        "{station}: flow {released} above {required} m3/s{share} again since {until}{still}.";
    /// That what is above a share of the mandate is below the mandate.
    StillBelow = "still_below", "，仍低于核定", ", still below the mandate";
    /// Nothing is mandated any longer.
    NothingMandated = "nothing_mandated",
        "{station}告警结束：下泄{released}m³/s，现无核定流量，{since}至{until}不足。",
        "{station}: alarm over, flow {released} m3/s, nothing mandated now, low {since} to {until}.";
    /// The same in fewer words, for where there is no room.
    BelowMandateInBrief = "below_mandate_in_brief",
        "{station}下泄{released}<{required}m³/s{share}，{since}起",
        "{station}: flow {released} below {required} m3/s{share} since {since}.";
    /// The same in fewer words.
    BackAtMandateInBrief = "back_at_mandate_in_brief",
        "{station}恢复{released}，核定{required}m³/s，{since}起",
        "{station}: normal, flow {released} of {required} m3/s, since {since}.";
    /// The same in fewer words.
    AboveShareInBrief = "above_share_in_brief",
        "{station}下泄{released}，已过{required}m³/s{share}{still}",
        "{station}: flow {released} above {required} m3/s{share}{still}.";
    /// The same in fewer words.
    NothingMandatedInBrief = "nothing_mandated_in_brief",
        "{station}告警结束，下泄{released}m³/s，{since}起",
        "{station}: alarm over, flow {released} m3/s, since {since}.";
    /// A gauge is silent.
    NoData = "no_data",
        "{station}数据中断，{since}起。",
        "{station}: no data since {since}.";
    /// A gauge speaks again.
    DataAgain = "data_again",
        "{station}数据已恢复，{since}至{until}中断。",
        "{station}: data are back, none from {since} to {until}.";
    /// A gauge says the same again and again.
    Flat = "flat",
        "{station}读数卡住不变，{since}起。",
        "{station}: reading stuck since {since}.";
    /// A gauge moves again.
    Moves = "moves",
        "{station}读数恢复变化，{since}至{until}卡住。",
        "{station}: reading moves again, stuck {since} to {until}.";
    /// The rule behind an alarm speaks of its subject no longer.
    RuleWithdrawn = "rule_withdrawn",
        "{station}告警规则已撤销，{since}起的告警结束。",
        "{station}: alarm rule withdrawn, alarm since {since} is over.";
    /// An alarm is over, and no more is known of its end.
    AlarmOver = "alarm_over",
        "{station}告警结束，{since}起。",
        "{station}: alarm since {since} is over.";
    /// The rule behind an alarm is there, and its subject is not watched any longer.
    NotWatched = "not_watched",
        "{station}不再监测（{why}），{since}起的告警结束。",
        "{station}: no longer watched ({why}), alarm since {since} is over.";
    /// Why not: the station was closed down, or left the registry.
    StationLeft = "station_left", "电站已退出", "station left";
    /// Why not: the rule speaks of others.
    NotCovered = "not_covered", "规则不再适用", "not under the rule";
    /// Why not: section or gauge are gone.
    Removed = "removed", "测点或断面已撤销", "gauge or reach removed";
    /// Why not: nothing is mandated there.
    MandateRemoved = "mandate_removed", "核定流量已撤销", "mandate removed";
    /// Why not: a formula makes the flow.
    Underived = "underived", "流量改由公式推算", "flow by formula";
    /// A share of the mandate that a rule asks for, where it is not all of it.
    Share = "share", "的{percent}", " ({percent})";
    /// Before a number that was rounded.
    About = "about", "约", "~";
    /// At least; before a number that some outlet is missing in.
    AtLeast = "at_least", "≥", ">=";
    /// The section below the dam.
    SectionDam = "section_dam", "·坝下", " dam";
    /// The section below the powerhouse.
    SectionTail = "section_tail", "·尾水", " tail";
    /// The name of the page behind a link. It names no station, since previews are made elsewhere.
    AlarmPage = "alarm_page", "基流告警", "Baseflow alarm";
    /// What the matter is: too little is released.
    TooLittle = "too_little", "▼ 未达标：下泄流量低于核定", "▼ Short: less is released than the mandate asks for";
    /// What the matter is: a gauge is silent.
    Silent = "silent", "✕ 数据中断", "✕ No data";
    /// What the matter is: a gauge says the same again and again.
    Stuck = "stuck", "◆ 读数卡住不变", "◆ Reading stuck";
    /// That enough is released again, and not for long enough yet to end the alarm.
    BackAbove = "back_above", "▲ 已回升，观察中", "▲ Enough is released again; it is being watched";
    /// That nothing is mandated any longer, and not for long enough yet to end the alarm.
    BackUnmandated = "back_unmandated", "▲ 现无核定流量，观察中", "▲ Nothing is mandated now; it is being watched";
    /// What an alarm whose value is back waits for.
    BackNote = "back_note",
        "保持到告警规则规定的时间后，告警才结束。",
        "The alarm ends once this has held for as long as its rule asks.";
    /// That it is past, and no more.
    Past = "past", "● 已结束", "● Over";
    /// That enough is released again. How much stands below it with the moment of its measurement,
    /// which is later than when it recovered.
    PastRecovered = "past_recovered", "● 自 {until} 起已恢复", "● Enough has been released again since {until}";
    /// That what the rule asks for is released again, which is less than the mandate.
    PastAboveShare = "past_above_share",
        "● 自 {until} 起达到告警规则的要求，仍低于核定",
        "● What the rule asks for has been released since {until}, which is still below the mandate";
    /// That nothing is mandated any longer.
    PastNothingMandated = "past_nothing_mandated",
        "● {until} 结束：现无核定流量，下泄 {released} m³/s",
        "● Over since {until}: nothing is mandated now, {released} m³/s is released";
    /// That a gauge speaks again.
    PastDataAgain = "past_data_again", "● {until} 数据已恢复", "● Data have been back since {until}";
    /// That a gauge moves again.
    PastMoves = "past_moves", "● {until} 读数恢复变化", "● The reading has moved again since {until}";
    /// That the rule is gone.
    PastRuleWithdrawn = "past_rule_withdrawn", "● {until} 结束：告警规则已撤销", "● Over since {until}: the alarm rule was withdrawn";
    /// That it is watched no longer.
    PastNotWatched = "past_not_watched", "● {until} 起不再监测：{why}", "● Not watched since {until}: {why}";
    /// That an alarm comes and goes, and what that means.
    ChattersNote = "chatters_note",
        "反复告警：一小时内第三次触发；不再逐次通知，恢复满一小时后才结束。",
        "It comes and goes: the third time within an hour. Nobody is told each time any more; it is over once all has been well for an hour.";
    /// The severity blue.
    SeverityBlue = "severity_blue", "蓝色", "blue";
    /// The severity yellow.
    SeverityYellow = "severity_yellow", "黄色", "yellow";
    /// The severity orange.
    SeverityOrange = "severity_orange", "橙色", "orange";
    /// The severity red.
    SeverityRed = "severity_red", "红色", "red";
    /// Before a severity.
    SeverityLabel = "severity", "级别", "Severity";
    /// Before the state of an alarm.
    StateLabel = "state", "状态", "State";
    /// The state: it stands, and nobody has it.
    StateOpen = "state_open", "进行中，无人确认", "standing, nobody has taken it on";
    /// The state: it stands, and somebody has it.
    StateTaken = "state_taken", "进行中，已确认", "standing, taken on";
    /// The state: it is past, and nobody had it.
    StatePast = "state_past", "已恢复，无人确认", "over, nobody has taken it on";
    /// The state: it is closed.
    StateClosed = "state_closed", "已关闭", "closed";
    /// The state: it is silenced for a while, or by a rule.
    StateSilenced = "state_silenced", "已搁置或抑制", "silenced";
    /// Before what is released.
    ReleasedLabel = "released", "下泄", "Released";
    /// Before what was released about when it ended, which has its own moment.
    ReleasedThenLabel = "released_then", "当时下泄", "Released then";
    /// Before what is mandated.
    RequiredLabel = "required", "核定", "Required";
    /// Before the moment of a measurement.
    MeasuredLabel = "measured", "测于", "Measured";
    /// Before the name of a gauge.
    GaugeLabel = "gauge", "测点", "Gauge";
    /// Before the id of a station.
    StationLabel = "station_id", "电站编号", "Station id";
    /// Before when it began.
    SinceLabel = "since", "开始", "Since";
    /// Before when it ended.
    UntilLabel = "until", "结束", "Until";
    /// Before how long it has lasted.
    LastingLabel = "lasting", "持续", "Duration";
    /// Before when people were first told.
    ToldLabel = "told", "首次通知", "First told";
    /// Before the beginning of the alarm's id.
    AlarmLabel = "alarm_id", "告警编号", "Alarm id";
    /// Before the moment for which a page speaks.
    AsOfLabel = "as_of", "页面时间", "As of";
    /// A length of time.
    Lasting = "hours_minutes", "{hours} 小时 {minutes} 分", "{hours} h {minutes} min";
    /// A length of time of less than an hour.
    LastingMinutes = "minutes", "{minutes} 分钟", "{minutes} min";
    /// A length of time of less than a minute.
    LastingSeconds = "seconds", "{seconds} 秒", "{seconds} s";
    /// The button.
    TakeOn = "take_on", "确认，由我跟进", "I take it on";
    /// What the button does, whether the alarm stands or is past.
    TakeOnMeans = "take_on_means",
        "确认后不再通知其他人。确认不改变告警的起止：未恢复的，恢复后才结束。",
        "Nobody else is told after that. The alarm itself stays as it is: one that is not over stands until it is.";
    /// That the reader took it on.
    TakenByYou = "taken_by_you", "{at} 已由您确认", "You took it on, {at}";
    /// That another person took it on.
    TakenBy = "taken_by", "{at} 已由 {who} 确认", "{who} took it on, {at}";
    /// That it was taken on at a console.
    TakenAtConsole = "taken_at_console", "{at} 已由值班台确认", "Taken on at a console, {at}";
    /// That the link is too old for the button.
    LinkTooOld = "link_too_old",
        "此链接发出已超过 24 小时，只能查看，不能确认。",
        "This link is more than 24 hours old: it still shows the alarm, but cannot take it on.";
    /// That the alarm is closed.
    ClosedNote = "closed_note", "本次告警已关闭，无需处理。", "This alarm is closed; nothing is left to be done.";
    /// After a click: another acted first.
    WasFirst = "was_first", "已有人先确认。", "Somebody else was first.";
    /// After a click: it is no longer what was seen.
    HasChanged = "has_changed",
        "情况已变化，请看过后再确认。",
        "It has changed since: look again before you take it on.";
    /// After a click: it will count.
    ClickKept = "click_kept",
        "已收到，正在登记；请稍后刷新本页。",
        "Received, and not yet recorded; load this page again in a moment.";
    /// That a link leads nowhere.
    LinkUnknown = "link_unknown",
        "链接无效或已失效。请核对短信中的链接。",
        "This link is not valid, or is no longer valid. Compare it with the one in the message.";
    /// That somebody asks too often.
    TooOften = "too_often", "访问过于频繁，请一分钟后再试。", "Too many requests; try again in a minute.";
    /// That a form was not the page's own.
    NotUnderstood = "not_understood",
        "请求无效，请重新打开短信中的链接。",
        "That was not understood; open the link in the message again.";
    /// That the server cannot show the alarm at the moment.
    NotNow = "not_now",
        "暂时无法显示，请稍后再试；以短信内容为准，必要时电话联系值班人员。",
        "This cannot be shown at the moment; try again soon. Go by what the message says, and telephone whoever is on duty if need be.";
}

impl Phrase {
    /// Why a subject is watched no longer though its rule is there.
    pub const fn of_end(because: AlarmEnd) -> Option<Self> {
        match because {
            AlarmEnd::Recovered | AlarmEnd::RuleWithdrawn => None,
            AlarmEnd::StationLeft => Some(Self::StationLeft),
            AlarmEnd::NotCovered => Some(Self::NotCovered),
            AlarmEnd::Removed => Some(Self::Removed),
            AlarmEnd::MandateRemoved => Some(Self::MandateRemoved),
            AlarmEnd::Underived => Some(Self::Underived),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn blanks(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
    }

    #[test]
    fn both_languages_say_the_same_and_no_key_stands_twice() {
        let keys: BTreeSet<_> = Phrase::KEYS.iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), Phrase::KEYS.len());
        for (key, phrase) in Phrase::KEYS {
            let chinese = phrase.in_language(Locale::Chinese);
            let english = phrase.in_language(Locale::English);
            assert_eq!(blanks(chinese), blanks(english), "{key}");
            for other in ["口令", "台账", "报警", "画面", "网页"] {
                assert!(!chinese.contains(other), "{key}: {other} has another word here");
            }
        }
    }
}
