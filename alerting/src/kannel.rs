//! What Kannel's `sendsms` is asked, and what its answers mean.
//!
//! The call is a POST with headers, Kannel's own form of it: number, text and password then stand
//! in no address, which gateways and whatever is before them like to log.
//!
//! | answer | means |
//! |---|---|
//! | 2xx `0: Accepted for delivery`, `3: Queued for later delivery` | taken |
//! | 4xx «denied by white- and/or black-lists», «Not routable» | never: it is about this number |
//! | 2xx with anything else | it may have been taken: so says the status |
//! | 502, 504 | it may have been taken: who stands between had no answer from the gateway, or half of one |
//! | any other | not now |
//!
//! Kannel itself answers 202, 400, 403, 404, 415, 500 or 503, never 502 or 504: those are a proxy's.
//! It says so both when nothing listened behind it and when the gateway broke after it had the
//! message, and nobody can tell which.
//!
//! A login that is refused, a wrong address, a missing sender or an account that may not send are
//! the gateway's settings or ours, and no fault of the message: it is tried on while a person puts
//! that right, and is passed on meanwhile. So is a refusal that is not Kannel's. What may have been
//! taken is repeated twice at most: rather one message too many than one that nobody sent, but not one
//! every few minutes for a night.

use model::ids::NotificationId;

use crate::sms::Alphabet;

/// Which receipts are asked for: delivered, not delivered, rejected by the operator. Not that the
/// operator took or keeps it: those change nothing.
const DLR_MASK: &str = "19";
/// How much of an answer is looked at.
pub const ANSWER_BYTES: usize = 512;
/// How much of it is shown.
const SHOWN: usize = 80;
/// Digits that are shown, in one word and in all; more may be a telephone number.
const SHOWN_DIGITS: (usize, usize) = (4, 8);
/// A word that is shorter is no secret.
const SECRET: usize = 4;

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// The gateway has the message.
    Taken,
    /// Not now; why, without anything that is nobody's business.
    ForNow(String),
    /// Never; why.
    ForGood(String),
    /// It may have been taken; why that is not known.
    Unclear(String),
}

/// The headers of a call, the login excepted.
pub fn headers(
    number: &str,
    text: &str,
    from: Option<&str>,
    receipts: Option<(&str, NotificationId)>,
) -> Vec<(&'static str, String)> {
    let coding = match Alphabet::of(text) {
        Alphabet::Gsm7 => "0",
        Alphabet::Ucs2 => "2",
    };
    let mut headers = vec![
        ("content-type", "text/plain; charset=UTF-8".to_owned()),
        ("x-kannel-to", number.to_owned()),
        ("x-kannel-coding", coding.to_owned()),
    ];
    if let Some(from) = from {
        headers.push(("x-kannel-from", from.to_owned()));
    }
    if let Some((hook, id)) = receipts {
        // Kannel fills in what follows a percent sign.
        let hook = hook.replace('%', "%%");
        headers.push(("x-kannel-dlr-mask", DLR_MASK.to_owned()));
        headers.push(("x-kannel-dlr-url", format!("{hook}?id={id}&type=%d")));
    }
    headers
}

/// The number as Kannel reads one: digits, and a plus before them. Kannel takes a space for the end
/// of a number and sends to both halves, so what people write between digits is left out.
pub fn number(written: &str) -> Option<String> {
    let is_between = |c: char| matches!(c, ' ' | '\u{a0}' | '-' | '.' | '(' | ')' | '/');
    let number: String = written.trim().chars().filter(|c| !is_between(*c)).collect();
    let digits = number.strip_prefix('+').unwrap_or(&number);
    let is_number =
        (3..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(number)
}

/// What an answer means, of which `body` is the beginning. What it repeats of `private` is not shown.
pub fn meaning(status: u16, body: &[u8], private: &[&str]) -> Meaning {
    let text = String::from_utf8_lossy(body);
    let said = shown(&text, private);
    let answered = |words: &str| format!("{words} (status {status}, «{said}»)");
    match status {
        200..300 if is_taken(&text) => Meaning::Taken,
        200..300 => Meaning::Unclear(answered("the answer is not Kannel's; look at `url`")),
        300..400 => Meaning::ForNow(answered("it sends us elsewhere; write that address as `url`")),
        400..500 if text.contains("denied by white- and/or black-lists") => {
            Meaning::ForGood(answered("the gateway does not send to this number"))
        }
        400..500 if text.contains("Not routable") => {
            Meaning::ForGood(answered("no operator of the gateway's takes this number"))
        }
        502 | 504 => {
            Meaning::Unclear(answered("who stands before the gateway had no answer from it"))
        }
        401 | 403 => Meaning::ForNow(answered(
            "the gateway refuses us; look at `username`, its password, and from where the account may send",
        )),
        404 | 405 => Meaning::ForNow(answered("no sendsms there; look at `url`")),
        408 | 425 | 429 | 500.. => Meaning::ForNow(answered("the gateway cannot at the moment")),
        ..200 | 400..500 => Meaning::ForNow(answered("the gateway refuses the call")),
    }
}

/// What it means that a call for no number was answered so: with [`Meaning::Taken`], that a call for
/// one would be looked at.
pub fn meaning_of_probe(status: u16, body: &[u8], private: &[&str]) -> Meaning {
    let is_for_the_number = String::from_utf8_lossy(body).contains("Missing receiver");
    if status == 400 && is_for_the_number {
        return Meaning::Taken;
    }
    match meaning(status, body, private) {
        Meaning::Taken => {
            Meaning::ForNow("it took a message to nobody; is it Kannel's?".to_owned())
        }
        refused @ (Meaning::ForNow(_) | Meaning::ForGood(_) | Meaning::Unclear(_)) => refused,
    }
}

/// `0: Accepted for delivery` or `3: Queued for later delivery`; of several numbers nothing is sent.
fn is_taken(text: &str) -> bool {
    let code = text.trim_start().split_once(':').map(|(code, _)| code);
    matches!(code, Some("0" | "3"))
}

/// What may be logged of an answer: its printable beginning, without long numbers and without words
/// of ours that it repeats.
fn shown(text: &str, private: &[&str]) -> String {
    let plain = |c: char| if c.is_ascii_graphic() { c } else { ' ' };
    let text: String = text.chars().map(plain).take(ANSWER_BYTES).collect();
    let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    let (in_word, in_all) = SHOWN_DIGITS;
    let most_digits = if digits(&text) > in_all { 0 } else { in_word };
    let ours = private.iter().flat_map(|text| text.split_whitespace());
    let ours = ours.filter(|word| word.len() >= SECRET);
    let mut shown = String::new();
    for word in text.split_whitespace() {
        if shown.len() + word.len() > SHOWN {
            shown.push('…');
            break;
        }
        let is_ours = ours
            .clone()
            .any(|ours| word.contains(ours) || (word.len() >= SECRET && ours.contains(word)));
        shown.push_str(if is_ours || digits(word) > most_digits { "#" } else { word });
        shown.push(' ');
    }
    shown.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};

    use super::*;

    fn check(answers: &[(u16, &str)], expected: &Expect) {
        let mut lines = String::new();
        for (status, body) in answers {
            let line = match meaning(*status, body.as_bytes(), &[]) {
                Meaning::Taken => "taken".to_owned(),
                Meaning::ForNow(why) => format!("for now: {why}"),
                Meaning::ForGood(why) => format!("for good: {why}"),
                Meaning::Unclear(why) => format!("unclear: {why}"),
            };
            writeln!(lines, "{line}").unwrap();
        }
        expected.assert_eq(&lines);
    }

    #[test]
    fn kannel_takes_a_message_or_says_why_it_does_not() {
        check(
            &[
                (202, "0: Accepted for delivery"),
                (200, "0: Accepted for delivery"),
                (202, "3: Queued for later delivery"),
                (400, "Number(s) has/have been denied by white- and/or black-lists."),
                (403, "Not routable. Do not try again."),
                (403, "Authorization failed for sendsms"),
                (400, "Sender missing and no global set, rejected"),
                (404, "Unknown request."),
                (503, "Temporal failure, try again later."),
                (502, "Bad Gateway"),
                (504, "Gateway Time-out"),
            ],
            &expect![[r#"
                taken
                taken
                taken
                for good: the gateway does not send to this number (status 400, «Number(s) has/have been denied by white- and/or black-lists.»)
                for good: no operator of the gateway's takes this number (status 403, «Not routable. Do not try again.»)
                for now: the gateway refuses us; look at `username`, its password, and from where the account may send (status 403, «Authorization failed for sendsms»)
                for now: the gateway refuses the call (status 400, «Sender missing and no global set, rejected»)
                for now: no sendsms there; look at `url` (status 404, «Unknown request.»)
                for now: the gateway cannot at the moment (status 503, «Temporal failure, try again later.»)
                unclear: who stands before the gateway had no answer from it (status 502, «Bad Gateway»)
                unclear: who stands before the gateway had no answer from it (status 504, «Gateway Time-out»)
            "#]],
        );
    }

    #[test]
    fn what_is_not_kannels_word_is_not_taken_for_it() {
        check(
            &[
                (200, "<html>Welcome to the hotel's network, 13800000001</html>"),
                (200, ""),
                (204, ""),
                (202, "10: Accepted"),
                (202, "4: 0: Accepted"),
                (200, "00"),
                (200, "\u{0}\u{1b}[2J水"),
                (302, "0: Accepted for delivery"),
                (101, ""),
                (418, "+86 138-0000-0001 is a teapot"),
                (999, "0: Accepted for delivery"),
            ],
            &expect![[r#"
                unclear: the answer is not Kannel's; look at `url` (status 200, «<html>Welcome to the hotel's network, #»)
                unclear: the answer is not Kannel's; look at `url` (status 200, «»)
                unclear: the answer is not Kannel's; look at `url` (status 204, «»)
                unclear: the answer is not Kannel's; look at `url` (status 202, «10: Accepted»)
                unclear: the answer is not Kannel's; look at `url` (status 202, «4: 0: Accepted»)
                unclear: the answer is not Kannel's; look at `url` (status 200, «00»)
                unclear: the answer is not Kannel's; look at `url` (status 200, «[2J»)
                for now: it sends us elsewhere; write that address as `url` (status 302, «0: Accepted for delivery»)
                for now: the gateway refuses the call (status 101, «»)
                for now: the gateway refuses the call (status 418, «# # is a teapot»)
                for now: the gateway cannot at the moment (status 999, «0: Accepted for delivery»)
            "#]],
        );
        let endless = "水 aaaaaaaaa ".repeat(1_000);
        let Meaning::ForNow(why) = meaning(500, endless.as_bytes(), &[]) else { panic!("taken") };
        assert!(why.len() < 200, "{why}");
    }

    #[test]
    fn an_answer_that_repeats_what_is_private_is_not_shown() {
        let private = ["Quellwasser 7", "13800000001", "flow 0.612 http://h/i/0000000000AAA"];
        for said in [
            "bad password Quellwasser 7!",
            "password=\"Quellwasser 7\"",
            "no route to 13800000001",
            "no route to 138 0000 0001",
            "cannot send <flow 0.612 http://h/i/0000000000AAA>",
            "/i/0000000000AAA",
        ] {
            let Meaning::ForNow(why) = meaning(500, said.as_bytes(), &private) else {
                panic!("{said}")
            };
            for secret in ["Quellwasser", "0000", "138", "0.612"] {
                assert!(!why.contains(secret), "{why}");
            }
        }
    }

    #[test]
    fn a_number_is_what_people_write_and_nothing_else() {
        for (written, asked) in [
            ("13800000001", "13800000001"),
            (" +86 138-0000-0001 ", "+8613800000001"),
            ("(0936) 821.0001", "09368210001"),
            ("110", "110"),
        ] {
            assert_eq!(number(written).as_deref(), Some(asked), "{written}");
        }
        for written in
            ["", "12", "+", "138,139", "138+139", "zhang@example", "１３８００", "138\n139"]
        {
            assert_eq!(number(written), None, "{written}");
        }
        assert_eq!(number(&"1".repeat(21)), None);
    }

    #[test]
    fn a_call_says_in_which_alphabet_and_where_the_receipt_goes() {
        let shown = |headers: Vec<(&str, String)>| {
            headers.iter().fold(String::new(), |all, (name, value)| {
                all + name
                    + ": "
                    + value
                    + "
"
            })
        };
        let hook = "http://h/a%20b/hooks/kannel/sms/s";
        expect![[r#"
            content-type: text/plain; charset=UTF-8
            x-kannel-to: 138
            x-kannel-coding: 2
            x-kannel-from: 1069
            x-kannel-dlr-mask: 19
            x-kannel-dlr-url: http://h/a%%20b/hooks/kannel/sms/s?id=00000000000000000000000000000007&type=%d
        "#]]
        .assert_eq(&shown(headers("138", "水", Some("1069"), Some((hook, NotificationId(7))))));
        expect![[r#"
            content-type: text/plain; charset=UTF-8
            x-kannel-to: 138
            x-kannel-coding: 0
        "#]]
        .assert_eq(&shown(headers("138", "flow [m3/s]", None, None)));
    }
}
