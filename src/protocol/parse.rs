//! Reading what a client says: strictly.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::client::{ClientFrame, ClientMessage, RequestId};

/// The text is not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// The request's id, if it could be read.
    pub id: Option<RequestId>,
    /// A sentence for people.
    pub message: String,
}

impl ClientFrame {
    /// Reads `{"type": …, "id"?: …, …}`. Unknown and repeated fields, other types and unknown
    /// messages are refused.
    pub fn parse(text: &str) -> Result<ClientFrame, ParseError> {
        let refused = |id, message: String| ParseError { id, message };
        let Strict(value) = serde_json::from_str(text).map_err(|e| refused(None, e.to_string()))?;
        let Value::Object(mut fields) = value else {
            return Err(refused(None, "a message is a JSON object".into()));
        };
        let id = take_id(&mut fields).map_err(|message| refused(None, message))?;
        if let Some((name, _)) = fields.iter().find(|(name, value)| !has_shape(name, value)) {
            return Err(refused(
                id,
                format!("the field `{name}` is of another type"),
            ));
        }
        let message = ClientMessage::deserialize(Value::Object(fields));
        match message {
            Ok(message) => Ok(ClientFrame { id, message }),
            Err(error) => Err(refused(id, error.to_string())),
        }
    }
}

fn take_id(fields: &mut Map<String, Value>) -> Result<Option<RequestId>, String> {
    match fields.remove("id") {
        None => Ok(None),
        Some(id) => serde_json::from_value(id)
            .map(Some)
            .map_err(|_| "an `id` is a whole number from 0 to 4294967295".into()),
    }
}

/// Whether a field nests no deeper than the protocol does. Serde by itself would take an array for
/// an object and an object for a word.
fn has_shape(name: &str, value: &Value) -> bool {
    match (name, value) {
        ("description" | "candidate", Value::Object(_)) => is_flat_object(value),
        ("wants", Value::Array(wants)) => wants.iter().all(is_flat_object),
        _ => is_scalar(value),
    }
}

fn is_flat_object(value: &Value) -> bool {
    let fields = value.as_object();
    fields.is_some_and(|fields| fields.values().all(is_scalar))
}

fn is_scalar(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

/// A JSON value whose objects repeat no field.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((name, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if fields.contains_key(&name) {
                let message = format_args!("the field `{name}` is there twice");
                return Err(serde::de::Error::custom(message));
            }
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}
