//! The gateway's own page: what was read last, how the devices stand, what is queued.
//!
//! For whoever stands before the cabinet with a telephone: no script, no picture, nothing to
//! press; it loads itself again every five seconds.

use std::fmt::Write as _;

use model::{
    quality::Quality,
    quantity::Decimal,
    reading::Point,
    time::{Timestamp, Zone},
    wire::status_v1::{DeviceStatus, Status},
};

use crate::{clock_trust::is_possible, cycle::Sources};

/// What the page shows.
#[derive(Debug)]
pub struct View<'a> {
    /// Whose page it is.
    pub agent: &'a str,
    /// In which times are shown, as a watch at the cabinet has it.
    pub zone: &'a Zone,
    /// The same as the server is told.
    pub status: &'a Status,
    /// Whether the broker is reached, or why not.
    pub broker: Result<(), &'a str>,
    /// Whether the server says that it is there, if it said anything.
    pub server: Option<bool>,
    /// All registers.
    pub sources: &'a Sources,
    /// What each of them gave last.
    pub latest: &'a [Option<Point>],
    /// How many decimals the settings ask of each; none where they leave that open.
    pub decimals: &'a [Option<u8>],
}

/// So many decimals are shown of a reading of which the settings ask for none.
const UNASKED_DECIMALS: u8 = 3;

/// The page as HTML.
pub fn html(view: &View<'_>) -> String {
    let mut page = String::with_capacity(4096 + view.sources.len() * 160);
    let agent = escaped(view.agent);
    page.push_str(
        "<!doctype html><html lang=zh><meta charset=utf-8><meta http-equiv=refresh content=5>",
    );
    page.push_str("<meta name=viewport content=\"width=device-width\">");
    add(&mut page, format_args!("<title>{agent}</title>"));
    page.push_str(
        "<style>body{font:16px/1.5 sans-serif;margin:1em;max-width:60em}table{border-collapse:collapse}\
         td,th{border:1px solid #ccc;padding:.2em .6em;text-align:left}td.n{text-align:right}\
         .bad{color:#b00;font-weight:bold}.utc{color:#555;font-size:.8em;white-space:nowrap}</style>",
    );
    add(&mut page, format_args!("<h1>{agent}</h1>"));
    link(&mut page, view);
    queue(&mut page, view);
    values(&mut page, view);
    devices(&mut page, view);
    page
}

fn link(page: &mut String, view: &View<'_>) {
    let broker = match view.broker {
        Ok(()) => "已连接 connected".to_owned(),
        Err(why) => format!("<span class=bad>未连接 not connected</span> {}", escaped(why)),
    };
    let server = match view.server {
        Some(true) => "在线 online",
        Some(false) => "<span class=bad>离线 offline</span>",
        None => "未知 unknown",
    };
    let is_trusted = view.status.clock.as_ref().is_some_and(|clock| clock.trusted);
    let clock =
        if is_trusted { "可信 trusted" } else { "<span class=bad>未校时 not set</span>" };
    let at = view.status.at.map(|at| moment(at, view.zone)).unwrap_or_default();
    add(page, format_args!("<p>服务器连接 Broker: {broker}<br>服务器 Server: {server}<br>"));
    add(page, format_args!("时钟 Clock: {clock}, {at}<br>"));
    add(page, format_args!("版本 Version: {}</p>", escaped(&view.status.version)));
}

fn queue(page: &mut String, view: &View<'_>) {
    let Some(spool) = &view.status.spool else { return };
    add(page, format_args!("<h2>待传 Queue</h2><p>批次 Batches: {}", spool.queued));
    if let Some(from) = spool.queued_from {
        add(page, format_args!(", 最早 oldest {}", moment(from, view.zone)));
    }
    add(page, format_args!("<br>占用 Used: {} KiB<br>", spool.bytes / 1024));
    add(page, format_args!("可存 Room for: {} h<br>", spool.hours_left));
    let class = if spool.overwritten > 0 { " class=bad" } else { "" };
    add(
        page,
        format_args!("<span{class}>丢失读数 Readings lost: {}</span></p>", spool.overwritten),
    );
}

fn values(page: &mut String, view: &View<'_>) {
    page.push_str("<h2>最新读数 Latest readings</h2><table><tr><th>测点 Gauge<th>数值 Value<th>单位 Unit<th>时间 Time");
    for (index, (source, latest)) in view.sources.iter().zip(view.latest).enumerate() {
        let decimals = view.decimals.get(index);
        add(page, format_args!("<tr><td>{}", source.gauge));
        let (class, shown) = match latest.map(|point| (point.value(), point.quality)) {
            None => ("n", "—".to_owned()),
            Some((Some(value), _)) => {
                ("n", decimal(value, source.decimals, decimals.copied().flatten()))
            }
            Some((None, quality)) => ("\"n bad\"", in_words(&quality.word())),
        };
        add(page, format_args!("<td class={class}>{shown}"));
        add(page, format_args!("<td>{}<td>", escaped(&source.unit)));
        if let Some(point) = latest {
            page.push_str(&moment(Timestamp::clamped(point.at_ms), view.zone));
        }
    }
    page.push_str("</table>");
}

fn devices(page: &mut String, view: &View<'_>) {
    page.push_str("<h2>设备 Devices</h2><table><tr><th>总线 Bus<th>设备 Device<th>状态 State<th>最近应答 Last answer");
    for bus in &view.status.buses {
        for device in &bus.devices {
            let (class, state) = match device.state.as_str() {
                "ok" => ("", "正常 ok"),
                "silent" if is_refused(device) => (" class=bad", "拒绝读取 refuses"),
                "silent" => (" class=bad", "无应答 silent"),
                _ => ("", "未轮询 new"),
            };
            let at = device.last_answer_at.map(|at| moment(at, view.zone)).unwrap_or_default();
            let reason = device.reason.as_deref().filter(|_| device.state != "ok");
            let reason = reason.map(in_words).unwrap_or_default();
            let (bus, device) = (escaped(&bus.name), escaped(&device.name));
            add(page, format_args!("<tr><td>{bus}<td>{device}<td{class}>{state} {reason}<td>{at}"));
        }
    }
    page.push_str("</table>");
}

/// Whether a device without a usable answer has answered that it gives none.
fn is_refused(device: &DeviceStatus) -> bool {
    let number = device.reason.as_deref().and_then(|word| word.strip_prefix("exception_"));
    number.and_then(|n| n.parse().ok()).is_some_and(|n| Quality::exception(n).is_refusal())
}

/// The word of a quality code in the page's two languages.
fn in_words(word: &str) -> String {
    let chinese = match word {
        "timeout" => "超时",
        "unreachable" => "线路不通",
        "malformed" => "报文错误",
        "mismatched" => "应答不符",
        "short" => "应答长度不符",
        "not_a_number" => "非数值",
        "invalid_bcd" => "BCD 码错误",
        "overflow" => "数值溢出",
        "back_off" => "暂停轮询",
        "exception_2" => "无此地址",
        _ if word.starts_with("exception_") => "设备拒绝",
        _ => return escaped(word),
    };
    format!("{chinese} {}", escaped(word))
}

/// A moment as the station's watches show it, and in UTC, as the server's lists and logs do; since
/// boot where the clock cannot be right.
fn moment(at: Timestamp, zone: &Zone) -> String {
    if !is_possible(at) {
        return format!("开机后 since boot {} s", at.as_ms() / 1000);
    }
    let utc = Timestamp::clamped(at.as_ms().div_euclid(1_000) * 1_000);
    format!("{} <span class=utc>UTC {utc}</span>", at.with_offset(zone))
}

/// The decimal text of a value, with as many decimals as the register's settings ask for; what they
/// leave open is kept finer than anybody at the cabinet reads.
fn decimal(value: i64, decimals: u8, shown: Option<u8>) -> String {
    let exact = Decimal { units: value, decimals };
    let shown = shown.unwrap_or(decimals.min(UNASKED_DECIMALS));
    let rounded = exact.rescaled(shown).map(|units| Decimal { units, decimals: shown });
    rounded.unwrap_or(exact).to_string()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn add(page: &mut String, text: std::fmt::Arguments<'_>) {
    // writing to a string cannot fail
    if page.write_fmt(text).is_err() {
        page.push('?');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock_trust::BUILT_AT, cycle::Source};

    #[test]
    fn values_are_exact_and_names_are_escaped() {
        let source = |gauge: &str| Source {
            gauge: gauge.parse().unwrap(),
            unit: "<m3/h>".into(),
            decimals: 3,
            period_ms: 1_000,
            alert_below: None,
        };
        let sources: Sources = vec![source("S/a"), source("S/b"), source("S/c")].into();
        let at_ms = BUILT_AT.as_ms();
        let latest =
            [Some(Point::good(at_ms, -50)), Some(Point::defect(7_000, Quality::TIMEOUT)), None];
        let status = Status::offline("1");
        let zone = Zone::named("Asia/Shanghai").unwrap();
        let view = View {
            agent: "gw",
            zone: &zone,
            status: &status,
            broker: Err("cannot reach <it>"),
            server: None,
            sources: &sources,
            latest: &latest,
            decimals: &[Some(3), Some(3), Some(3)],
        };
        let page = html(&view);
        let local = BUILT_AT.with_offset(&zone);
        let both = format!("{local} <span class=utc>UTC {BUILT_AT}</span>");
        assert!(both.contains(" +08:00 "), "{both}");
        assert!(page.contains(&both), "{both} is not in {page}");
        for part in ["-0.050<td>&lt;m3/h&gt;", "超时 timeout", "since boot 7 s", "&lt;it&gt;", "—"]
        {
            assert!(page.contains(part), "{part} is not in {page}");
        }
    }

    #[test]
    fn decimals_that_nobody_asked_for_are_not_shown() {
        assert_eq!(decimal(2_952_123_456, 6, None), "2952.123");
        assert_eq!(decimal(2_952_123_456, 6, Some(6)), "2952.123456");
        assert_eq!(decimal(2_431, 2, None), "24.31");
        assert_eq!(decimal(-50, 3, Some(3)), "-0.050");
        assert_eq!(decimal(7, 0, None), "7");
    }

    #[test]
    fn a_device_that_refuses_is_not_said_to_be_silent() {
        let device = |reason: &str| DeviceStatus {
            name: "m".to_owned(),
            state: "silent".to_owned(),
            last_answer_at: None,
            reason: Some(reason.to_owned()),
        };
        assert!(is_refused(&device("exception_2")));
        assert!(!is_refused(&device("exception_11")) && !is_refused(&device("timeout")));
        assert_eq!(in_words("exception_2"), "无此地址 exception_2");
        assert_eq!(in_words("code_140"), "code_140");
    }
}
