//! One message of each variant of each enum, with the name that its golden line has.

pub mod edges;
pub mod parts;

/// Names every variant of an enum, once: a new variant does not compile until it has a name here, and no test passes
/// until the name has a sample.
#[macro_export]
macro_rules! variants {
    ($function:ident, $names:ident, $kind:ty: $($variant:ident),+ $(,)?) => {
        /// Name of the variant.
        pub fn $function(value: &$kind) -> &'static str {
            // Named through a type parameter, so that the alias covers generic enums as well.
            type Kind = $kind;
            match value {
                $(Kind::$variant { .. } => stringify!($variant),)+
            }
        }
        /// All of them.
        pub const $names: &[&str] = &[$(stringify!($variant)),+];
    };
}

/// A golden line: the message's name and its bytes.
pub struct Line {
    /// `ENUM.VARIANT`.
    pub name: String,
    /// What the codec makes of it.
    pub bytes: Vec<u8>,
    /// Whether the bytes become the same message again.
    pub comes_back: bool,
}

/// The line of one value.
pub fn line<T>(kind: &str, variant: &str, value: &T) -> Line
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq,
{
    let bytes = schema::codec::encode(value, schema::limits::FRAME_BYTES_MAX).unwrap();
    let comes_back =
        schema::codec::decode::<T>(&bytes, schema::limits::FRAME_BYTES_MAX).is_ok_and(|back| back == *value);
    Line { name: format!("{kind}.{variant}"), bytes, comes_back }
}
