//! Who runs this process.

/// Name of the real user in the password database, if there is one.
#[must_use]
pub fn user_name() -> Option<String> {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok()??;
    Some(user.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_running_the_tests_has_a_name_or_none() {
        assert!(user_name().is_none_or(|name| !name.is_empty()));
    }
}
