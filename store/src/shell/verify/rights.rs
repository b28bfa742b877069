//! That who may do what is what the entries say.

use std::collections::BTreeMap;

use model::time::Timestamp;
use serde::Deserialize;

use crate::{
    audit::{Finding, Report},
    chain::Entry,
    shell::{error::StoreError, journal::JournalReader, samples::first_row},
};

/// Tokens and users, by what they are and by name, as far as entries tell of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Right {
    role: String,
    is_valid: bool,
    /// When the password was set; none of a token.
    password_at: Option<Timestamp>,
}

/// `token NAME` or `user NAME`; users by a name without case.
type Rights = BTreeMap<String, Right>;

/// The rights that stood at one moment, compared with the entries up to it.
#[derive(Debug)]
pub(super) struct RightsCheck {
    stored: Rights,
    told: Rights,
    /// The last entry that was there.
    last: i64,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    role: String,
}

impl RightsCheck {
    /// What stands now.
    pub(super) fn begin(reader: &JournalReader) -> Result<Self, StoreError> {
        let sql = "SELECT coalesce(max(position), 0) FROM entry";
        let last = first_row(&reader.connection, sql, [], |row| row.get(0))
            .map_err(StoreError::sql("look for the last entry"))?;
        let tokens = reader.tokens()?.into_iter().map(|token| {
            let is_valid = token.revoked_at.is_none();
            (of_token(&token.name), Right { role: token.role, is_valid, password_at: None })
        });
        let users = reader.users()?.into_iter().map(|user| {
            let (is_valid, password_at) = (user.disabled_at.is_none(), Some(user.password_at));
            (of_user(&user.name), Right { role: user.role, is_valid, password_at })
        });
        let stored = tokens.chain(users).collect();
        Ok(Self { stored, told: Rights::new(), last: last.unwrap_or(0) })
    }

    /// The next entry of the journal.
    pub(super) fn entry(&mut self, entry: &Entry) {
        if entry.position > self.last {
            return;
        }
        let kind = entry.kind.as_str();
        let is_token = matches!(kind, "token_added" | "token_revoked");
        let is_user = matches!(kind, "user_added" | "user_disabled" | "password_set");
        if !is_token && !is_user {
            return;
        }
        // What cannot be read was found by the chain's own check.
        let Ok(Named { name, role }) = entry.body() else { return };
        let is_valid = !matches!(kind, "token_revoked" | "user_disabled");
        let who = if is_token { of_token(&name) } else { of_user(&name) };
        let before = self.told.get(&who).and_then(|right| right.password_at);
        let sets_password = matches!(kind, "user_added" | "password_set");
        let password_at = if sets_password { Some(entry.at) } else { before };
        self.told.insert(who, Right { role, is_valid, password_at });
    }

    /// After the last entry.
    pub(super) fn end(mut self, report: &mut Report) {
        for (who, stored) in std::mem::take(&mut self.stored) {
            report.rights += 1;
            let told = self.told.remove(&who);
            if let Some(problem) = problem(&stored, told.as_ref()) {
                report.findings.push(Finding::Right { who, problem });
            }
        }
        for who in self.told.into_keys() {
            let problem = "an entry tells of it, and it is not there".to_owned();
            report.findings.push(Finding::Right { who, problem });
        }
    }
}

fn problem(stored: &Right, told: Option<&Right>) -> Option<String> {
    let Some(told) = told else { return Some("no entry says who made it".to_owned()) };
    if stored.role != told.role {
        let (stored, told) = (&stored.role, &told.role);
        return Some(format!("its role is `{stored}`, and by its last entry `{told}`"));
    }
    if stored.is_valid != told.is_valid {
        let what = if told.is_valid { "was not" } else { "was" };
        return Some(format!("by its last entry it {what} taken back"));
    }
    (stored.password_at != told.password_at)
        .then(|| "its password is of another moment than its last entry says".to_owned())
}

fn of_token(name: &str) -> String {
    format!("token `{name}`")
}

fn of_user(name: &str) -> String {
    format!("user `{}`", name.to_ascii_lowercase())
}
