//! Ranges of loops: `1..2^{disks}-1`.

/// Both ends of `text`, inclusive. The error is a fragment for a message.
pub(crate) fn range(text: &str) -> Result<(i64, i64), String> {
    let cut = text.rfind("..").filter(|i| *i > 0 && i + 2 < text.len());
    let Some(cut) = cut else { return Err("a range is written as START..END".to_owned()) };
    let end = |side: &str| {
        let value = evaluate(side)?;
        if value.abs() > 9e15 {
            return Err(format!("`{}` is too large", side.trim()));
        }
        Ok(value.trunc() as i64)
    };
    let (from, to) = (end(&text[..cut])?, end(&text[cut + 2..])?);
    if to < from {
        return Err(format!("it ends at {to}, before its start {from}"));
    }
    Ok((from, to))
}

/// The value of an expression of numbers, `+ - * / ^` and parentheses.
pub(crate) fn evaluate(text: &str) -> Result<f64, String> {
    if text.len() > 1000 {
        return Err("the expression is longer than 1000 characters".to_owned());
    }
    let mut parser = Parser { text: text.as_bytes(), at: 0, depth: 0 };
    let value = parser.sum()?;
    parser.skip();
    match parser.text.get(parser.at) {
        None if value.is_finite() => Ok(value),
        None => Err(format!("`{}` has no finite value", text.trim())),
        Some(_) => Err(parser.unexpected()),
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    depth: u32,
}

impl Parser<'_> {
    fn skip(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn accept(&mut self, wanted: &[u8]) -> Option<u8> {
        self.skip();
        let byte = *self.text.get(self.at)?;
        wanted.contains(&byte).then(|| {
            self.at += 1;
            byte
        })
    }

    fn unexpected(&self) -> String {
        match std::str::from_utf8(&self.text[self.at.min(self.text.len())..]).ok().and_then(|t| t.chars().next()) {
            Some(c) => format!("`{c}` was not expected in the expression"),
            None => "the expression ends too early".to_owned(),
        }
    }

    fn deeper(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > 64 { Err("the expression is nested deeper than 64 levels".to_owned()) } else { Ok(()) }
    }

    fn sum(&mut self) -> Result<f64, String> {
        self.deeper()?;
        let mut value = self.product()?;
        while let Some(op) = self.accept(b"+-") {
            let right = self.product()?;
            value = if op == b'+' { value + right } else { value - right };
        }
        self.depth -= 1;
        Ok(value)
    }

    fn product(&mut self) -> Result<f64, String> {
        let mut value = self.signed()?;
        while let Some(op) = self.accept(b"*/") {
            let right = self.signed()?;
            if op == b'/' && right == 0.0 {
                return Err("it divides by zero".to_owned());
            }
            value = if op == b'*' { value * right } else { value / right };
        }
        Ok(value)
    }

    fn signed(&mut self) -> Result<f64, String> {
        if self.accept(b"-").is_some() {
            // One sign: `2--3` is a slip, as `2++3` is.
            return self.power().map(|v| -v);
        }
        self.power()
    }

    fn power(&mut self) -> Result<f64, String> {
        let base = self.atom()?;
        if self.accept(b"^").is_none() {
            return Ok(base);
        }
        self.deeper()?;
        let exponent = self.signed()?;
        self.depth -= 1;
        Ok(base.powf(exponent))
    }

    fn atom(&mut self) -> Result<f64, String> {
        if self.accept(b"(").is_some() {
            let value = self.sum()?;
            return self.accept(b")").map(|_| value).ok_or_else(|| "a `)` is missing".to_owned());
        }
        self.skip();
        let start = self.at;
        while self.text.get(self.at).is_some_and(|b| b.is_ascii_digit() || *b == b'.') {
            self.at += 1;
        }
        let digits = std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default();
        if digits.is_empty() {
            return Err(self.unexpected());
        }
        digits.parse().map_err(|_| format!("`{digits}` is not a number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_is_as_people_expect() {
        for (text, value) in [
            ("2+3*4", 14.0),
            ("(2+3)*4", 20.0),
            ("2^10", 1024.0),
            ("2^3-1", 7.0),
            ("3*-2", -6.0),
            ("2^-1", 0.5),
            ("2^3^2", 512.0),
            ("-2^2", -4.0),
            (" 7 / 2 ", 3.5),
        ] {
            assert_eq!(evaluate(text).map(|v| v.to_string()), Ok(value.to_string()), "{text}");
        }
        for bad in ["10/0", "2++3", "", "2 3", "{d}", "1e999999", "9^9^9^9", &"(".repeat(500), "1.2.3"] {
            assert!(evaluate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_are_inclusive_and_never_run_backwards() {
        assert_eq!(range("1..2^3-1"), Ok((1, 7)));
        assert_eq!(range("-2..2"), Ok((-2, 2)));
        assert_eq!(range("1..2^-1+1"), Ok((1, 1)));
        for bad in ["3..1", "1..", "..3", "1", "1..{x}", "1..9^99"] {
            assert!(range(bad).is_err(), "{bad}");
        }
    }
}
