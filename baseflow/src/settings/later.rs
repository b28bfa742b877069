//! Sections of parts that are not built yet: read as strictly as any, and refused where they ask
//! for what this version cannot do.

use std::path::Path;

use model::tree::Table;

use super::{address, filled, path, secret, url};

/// A value that was checked, and that nothing needs yet.
pub(super) fn checked<T>(_value: Option<T>) {}

/// Refuses each of `keys` that is written.
pub(super) fn refuse(table: &Table<'_>, keys: &[&str], why: &str) {
    for key in keys {
        if table.has(key) {
            table.fault(key, why);
        }
    }
}

/// `[broker]`: the embedded broker.
pub(super) fn broker(table: &Table<'_>) {
    checked(address(table, "listen"));
}

/// `[samples]`.
pub(super) fn samples(table: &Table<'_>, folder: &Path) {
    backend(table, "influxdb2", "samples in InfluxDB 2 are not built yet; write \"embedded\"");
    let Some(influx) = table.optional_table("influxdb2") else { return };
    checked(url(influx.text("url")).required());
    for key in ["org", "bucket"] {
        checked(influx.text(key).required());
    }
    checked(path(influx.text("token_file"), folder).required());
}

/// `[journal]`.
pub(super) fn journal(table: &Table<'_>, folder: &Path) {
    backend(table, "postgres", "a journal in PostgreSQL is not built yet; write \"embedded\"");
    checked(secret(table, "url_file", filled(table.text("url_file").optional()), folder));
}

fn backend(table: &Table<'_>, other: &str, why: &str) {
    let is_other = table.one_of("backend", &[("embedded", false), (other, true)]);
    if is_other.required() == Some(true) {
        table.fault("backend", why);
    }
}
