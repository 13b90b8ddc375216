//! A bar: `[=====>     ] `.

/// How many signs a full bar has.
const WIDTH: u64 = 50;

/// So much of all is done; nothing if nobody knows how much all is.
pub(crate) fn bar(current: u64, total: u64) -> String {
    if total == 0 {
        return String::new();
    }
    let done = (u128::from(current.min(total)) * u128::from(WIDTH) / u128::from(total)) as usize;
    format!("[{:<51}] ", format!("{}>", "=".repeat(done)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_one_width() {
        assert_eq!(bar(0, 0), "");
        assert!(bar(3, 9).starts_with("[================>  "));
        for (current, total) in [(0, 1), (1, 2), (9, 9), (10, 9), (u64::MAX, u64::MAX)] {
            assert_eq!(bar(current, total).len(), 54, "{current} of {total}");
        }
    }
}
