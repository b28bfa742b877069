//! What a gateway says in the query of a receipt.

use model::ids::NotificationId;

/// A receipt as Kannel delivers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Of which message.
    pub id: NotificationId,
    /// Whether it arrived or never will; none while it is on its way.
    pub is_delivered: Option<bool>,
}

/// Why a query was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a receipt: `id` of 32 hexadecimal digits and `type`, a number, are needed")]
pub struct NoReceipt;

/// Reads `id=…&type=…`; what else stands there is left out, since gateways add to it. Kannel's
/// types are bits of a set, of which each receipt has one.
pub fn kannel(query: Option<&str>) -> Result<Said, NoReceipt> {
    let value = |key: &str| {
        let mut pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find_map(|(known, value)| (known == key).then_some(value))
    };
    let id = value("id").and_then(|id| id.parse().ok()).ok_or(NoReceipt)?;
    let kind = value("type").and_then(|kind| kind.parse::<u32>().ok()).ok_or(NoReceipt)?;
    let is_delivered = match kind {
        1 => Some(true),
        2 | 16 => Some(false),
        _ => None,
    };
    Ok(Said { id, is_delivered })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn the_last_word_of_a_message_is_told_from_what_comes_before_it() {
        for (kind, is_delivered) in
            [("1", Some(true)), ("2", Some(false)), ("16", Some(false)), ("4", None), ("8", None)]
        {
            let query = format!("answer=ACK%2F&id={ID}&type={kind}&x");
            let said = kannel(Some(&query)).unwrap();
            assert_eq!((said.id.to_string().as_str(), said.is_delivered), (ID, is_delivered));
        }
    }

    #[test]
    fn what_is_no_receipt_is_refused() {
        let long = format!("id={ID}0&type=1");
        for query in
            ["", "id=1&type=1", "type=1", &format!("id={ID}"), &long, &format!("id={ID}&type=%d")]
        {
            assert_eq!(kannel(Some(query)), Err(NoReceipt), "{query}");
        }
        assert_eq!(kannel(None), Err(NoReceipt));
    }
}
