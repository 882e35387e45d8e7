//! What a row of the table expands to: a field of [`DriverConfig`], its default, its getter, a
//! setter of the builder, and an [`OptionRow`] through which sources, listings and documentation
//! reach it.

use super::DriverConfig;

/// One option as the machinery sees it.
pub(super) struct OptionRow {
    pub(super) info: OptionInfo,
    /// Reads text into the field; the error says what was expected.
    pub(super) apply: fn(&mut DriverConfig, &str) -> Result<(), String>,
    pub(super) show: fn(&DriverConfig) -> String,
    /// Whether the present value is in range.
    pub(super) check: fn(&DriverConfig) -> bool,
    pub(super) unit: fn() -> &'static str,
    pub(super) range: fn() -> String,
}

/// Names and meaning of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OptionInfo {
    /// Field of [`DriverConfig`].
    pub(super) field: &'static str,
    /// Property name.
    pub(super) property: &'static str,
    /// Environment variable; empty if there is none.
    pub(super) env: &'static str,
    /// Heading of the table it stands under.
    pub(super) section: &'static str,
    pub(super) doc: &'static str,
}

/// Expands the table. A row is
/// `/// meaning` `field: Type [as &Borrowed] = default, kind, "property", "ENVIRONMENT";`
macro_rules! options {
    ($($section:literal {
        $($(#[doc = $doc:literal])+
        $field:ident : $type:ty $(as &$view:ty)? = $default:expr, $kind:expr,
            $property:literal, $env:literal;)+
    })+) => {
        /// Every setting of a driver, checked. Made by [`DriverConfig::builder`]; durations are in
        /// nanoseconds and lengths in bytes unless the name says otherwise.
        ///
        /// ```
        /// use aileron::driver::config::DriverConfig;
        /// let config = DriverConfig::default();
        /// assert_eq!(config.mtu_length(), 1408);
        /// ```
        #[derive(Clone, Debug, PartialEq)]
        pub struct DriverConfig {
            $($($(#[doc = $doc])+ pub(crate) $field: $type,)+)+
            /// Where each value came from, in the order of the table; empty if all are defaults.
            pub(crate) sources: Vec<Source>,
            /// What is odd without being wrong.
            pub(crate) warnings: Vec<String>,
            /// Strategies of the user's own.
            pub(crate) suppliers: Suppliers,
        }

        impl Default for DriverConfig {
            fn default() -> Self {
                Self {
                    $($($field: $default,)+)+
                    sources: Vec::new(),
                    warnings: Vec::new(),
                    suppliers: Suppliers::default(),
                }
            }
        }

        impl DriverConfig {
            $($(options!(@getter $field, $type, ($($doc)+), $property $(, $view)?);)+)+
        }

        impl DriverConfigBuilder {
            $($(options!(@setter $field, $type, ($($doc)+), $property $(, $view)?);)+)+
        }

        /// All options, in the order of the table.
        pub(super) static ROWS: &[OptionRow] = &[
            $($(OptionRow {
                info: OptionInfo {
                    field: stringify!($field),
                    property: $property,
                    env: $env,
                    section: $section,
                    doc: concat!($($doc),+),
                },
                apply: |config, text| {
                    config.$field = Kind::<$type>::parse(&$kind, text)?;
                    Ok(())
                },
                show: |config| Kind::<$type>::show(&$kind, &config.$field),
                check: |config| Kind::<$type>::check(&$kind, &config.$field),
                unit: || Kind::<$type>::unit(&$kind),
                range: || Kind::<$type>::range(&$kind),
            },)+)+
        ];
    };
    (@getter $field:ident, $type:ty, ($($doc:literal)+), $property:literal) => {
        #[doc = concat!("`", $property, "`:", $($doc),+)]
        #[must_use]
        pub const fn $field(&self) -> $type {
            self.$field
        }
    };
    (@getter $field:ident, $type:ty, ($($doc:literal)+), $property:literal, $view:ty) => {
        #[doc = concat!("`", $property, "`:", $($doc),+)]
        #[must_use]
        pub fn $field(&self) -> &$view {
            &self.$field
        }
    };
    (@setter $field:ident, $type:ty, ($($doc:literal)+), $property:literal) => {
        #[doc = concat!("Sets `", $property, "`:", $($doc),+)]
        #[must_use]
        pub fn $field(mut self, value: $type) -> Self {
            self.config.$field = value;
            self.set.insert(stringify!($field));
            self
        }
    };
    (@setter $field:ident, $type:ty, ($($doc:literal)+), $property:literal, $view:ty) => {
        #[doc = concat!("Sets `", $property, "`:", $($doc),+)]
        #[must_use]
        pub fn $field(mut self, value: impl Into<$type>) -> Self {
            self.config.$field = value.into();
            self.set.insert(stringify!($field));
            self
        }
    };
}
pub(super) use options;
