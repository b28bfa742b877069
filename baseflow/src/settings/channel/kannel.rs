//! `kind = "kannel"`: an SMS gateway with the interface of Kannel's `sendsms`.

use std::path::{Path, PathBuf};

use alerting::{
    shell::channel::kannel::{Kannel as Gateway, Settings, SettingsError},
    sms::RESERVED,
};
use model::{fault::Chain, hook::HookSecret, ids::ChannelId, tree::Table};
use secrecy::SecretString;

use crate::settings::{filled, http_url, secret};

/// The settings of one.
#[derive(Debug, Clone)]
pub(crate) struct Kannel {
    /// Where and as whom, without receipts.
    settings: Settings,
    /// Whether receipts are asked for.
    pub(crate) has_receipts: bool,
    /// How the gateway reaches this server, where that is not `http.public_url`.
    receipt_url: Option<String>,
}

impl Kannel {
    /// With the files that it reads.
    pub(super) fn walk(table: &Table<'_>, folder: &Path) -> (Option<Self>, Vec<PathBuf>) {
        let url = table.parse("url").required();
        let username = table.text("username").required();
        let plain = filled(table.text("password").optional());
        let file = filled(table.text("password_file").optional());
        let named = file.as_ref().map(|file| folder.join(file));
        let password = match (plain, file) {
            (None, None) => {
                table.fault("password_file", "missing; or write `password`");
                None
            }
            (Some(_), Some(_)) => {
                table.fault("password", "`password_file` is written too; keep one");
                None
            }
            (Some(plain), None) => Some(SecretString::from(plain)),
            (None, file) => secret(table, "password_file", file, folder),
        };
        let from = filled(table.text("from").optional());
        let has_receipts = table.boolean("receipts").or(true);
        let receipt_url = table
            .text("receipt_url")
            .and_then(|text| if text.is_empty() { Ok(None) } else { http_url(text).map(Some) });
        let receipt_url = receipt_url.optional().flatten();
        let ca = filled(table.text("ca").optional()).map(|file| folder.join(file));
        let reserved = table.integer("reserved", 0..=RESERVED).or(0);
        let files = named.into_iter().chain(ca.clone()).collect();
        let Some(((url, username), password)) = url.zip(username).zip(password) else {
            return (None, files);
        };
        let settings = Settings { url, ca, username, password, from, receipts: None, reserved };
        if let Err(refused) = Gateway::new(settings.clone()) {
            table.fault(refused.key(), Chain(&refused));
        }
        (Some(Self { settings, has_receipts, receipt_url }), files)
    }

    /// The gateway, which delivers receipts at this channel's hook where they are asked for; `None`
    /// where nobody would take them.
    pub(crate) fn gateway(
        &self,
        name: &ChannelId,
        hook: Option<&HookSecret>,
        public_url: &str,
    ) -> Result<Gateway, SettingsError> {
        let base = self.receipt_url.as_deref().unwrap_or(public_url).trim_end_matches('/');
        let hook = hook.filter(|_| self.has_receipts);
        let receipts = hook.map(|hook| format!("{base}{}", hook.kannel_path(name)).into());
        Gateway::new(Settings { receipts, ..self.settings.clone() })
    }
}
