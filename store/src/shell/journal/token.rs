//! API tokens: made, revoked, and both journalled.

use model::time::Timestamp;
use rusqlite::{Connection, params};

use super::{JournalBook, append, note_rights};
use crate::{
    chain::{Body, By, ByKind},
    shell::{
        error::StoreError,
        samples::{first_row, run},
        writer::Write,
    },
    token::{self, ScreenKey, TokenText},
};

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddToken {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: By,
    /// Its name, which no token ever had.
    pub name: String,
    /// What it may do.
    pub role: String,
}

/// What became of an [`AddToken`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenAdded {
    /// It is valid.
    Done {
        /// Its text, which is stored nowhere.
        text: TokenText,
    },
    /// A token of that name is or was there.
    NameTaken,
}

impl Write<JournalBook> for AddToken {
    type Answer = TokenAdded;

    fn apply(
        &self,
        _book: &mut JournalBook,
        connection: &Connection,
    ) -> Result<TokenAdded, StoreError> {
        let text = random_text()?;
        let sql = "INSERT INTO token (name, role, digest, created_at) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (name) DO NOTHING";
        let digest = token::digest(text.as_str());
        let added = run(connection, sql, params![self.name, self.role, digest, self.at.as_ms()])
            .map_err(StoreError::sql("write a token"))?;
        if added == 0 {
            return Ok(TokenAdded::NameTaken);
        }
        let body = Body::TokenAdded { name: self.name.clone(), role: self.role.clone() };
        append(connection, self.at, &self.by, &body)?;
        Ok(TokenAdded::Done { text })
    }
}

/// A link that a screen opens; the answer is the token by its name, and the text that the screen
/// alone has from now on: made of its key, where it sent one. None where there is no such link, where a screen opened it already, or
/// where it is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenScreen {
    /// When.
    pub at: Timestamp,
    /// What the link holds.
    pub text: TokenText,
    /// What the screen alone knows.
    pub key: Option<ScreenKey>,
}

impl Write<JournalBook> for OpenScreen {
    type Answer = Option<(String, TokenText)>;

    fn apply(
        &self,
        _book: &mut JournalBook,
        connection: &Connection,
    ) -> Result<Option<(String, TokenText)>, StoreError> {
        let text = match &self.key {
            Some(key) => TokenText::of_screen(&self.text, key),
            None => random_text()?,
        };
        let [before, after] = [&self.text, &text].map(|text| token::digest(text.as_str()));
        let sql = "UPDATE token SET digest = ?2, opened_at = ?3 WHERE digest = ?1 AND role = ?4
            AND opened_at IS NULL AND revoked_at IS NULL RETURNING name";
        let row = params![before, after, self.at.as_ms(), token::WALL];
        let name: Option<String> = first_row(connection, sql, row, |row| row.get(0))
            .map_err(StoreError::sql("open a screen"))?;
        let Some(name) = name else { return Ok(None) };
        let by = By { kind: ByKind::Token, name: name.clone() };
        append(connection, self.at, &by, &Body::ScreenOpened { name: name.clone() })?;
        Ok(Some((name, text)))
    }
}

fn random_text() -> Result<TokenText, StoreError> {
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random).map_err(|source| StoreError::Random { source })?;
    Ok(TokenText::from_random(random))
}

/// A token to be revoked; the answer says whether there was a valid one of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokeToken {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: By,
    /// Its name.
    pub name: String,
}

impl Write<JournalBook> for RevokeToken {
    type Answer = bool;

    fn apply(&self, _book: &mut JournalBook, connection: &Connection) -> Result<bool, StoreError> {
        let sql = "UPDATE token SET revoked_at = ?2 WHERE name = ?1 AND revoked_at IS NULL
            RETURNING role";
        let role =
            first_row(connection, sql, params![self.name, self.at.as_ms()], |row| row.get(0))
                .map_err(StoreError::sql("revoke a token"))?;
        let Some(role) = role else { return Ok(false) };
        let body = Body::TokenRevoked { name: self.name.clone(), role };
        let entry = append(connection, self.at, &self.by, &body)?;
        note_rights(connection, entry)?;
        Ok(true)
    }
}
