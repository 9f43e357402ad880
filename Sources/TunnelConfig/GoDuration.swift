/// Durations as Go writes them: `1h15m30.5s`, `300ms`, `-1.5h`, `0`. Used by flags and by the configuration file.
package enum GoDuration {
    /// Reads a sequence of decimal numbers with units `ns us µs ms s m h`. A bare `0` is allowed; another bare number is
    /// not, because nobody can tell whether seconds or milliseconds were meant.
    ///
    /// The range is Go's: a signed 64-bit count of nanoseconds, about 292 years.
    package static func parse(_ text: String) throws(ConfigError) -> Duration {
        var rest = Substring(text).unicodeScalars
        var negative = false
        if let sign = rest.first, sign == "-" || sign == "+" {
            negative = sign == "-"
            rest.removeFirst()
        }
        if rest.elementsEqual("0".unicodeScalars) { return .zero }
        guard !rest.isEmpty else { throw invalid(text) }

        var total: Int64 = 0
        while !rest.isEmpty {
            let value = try parseTerm(&rest, whole: text)
            let (sum, overflow) = total.addingReportingOverflow(value)
            if overflow { throw tooLong(text) }
            total = sum
        }
        return .nanoseconds(negative ? -total : total)
    }

    /// Writes a duration as Go prints it: `1m30s`, `500ms`, `0s`.
    package static func format(_ duration: Duration) -> String {
        let parts = duration.components
        let (seconds, secondsOverflow) = parts.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (nanoseconds, overflow) = seconds.addingReportingOverflow(parts.attoseconds / 1_000_000_000)
        guard !secondsOverflow, !overflow else { return "\(parts.seconds)s" }
        if nanoseconds == 0 { return "0s" }
        let sign = nanoseconds < 0 ? "-" : ""
        let magnitude = nanoseconds.magnitude
        if magnitude < 1_000 { return "\(sign)\(magnitude)ns" }
        if magnitude < 1_000_000 { return sign + decimal(magnitude, per: 1_000) + "µs" }
        if magnitude < 1_000_000_000 { return sign + decimal(magnitude, per: 1_000_000) + "ms" }
        let minutes = magnitude / 60_000_000_000
        let tail = decimal(magnitude % 60_000_000_000, per: 1_000_000_000) + "s"
        if minutes == 0 { return sign + tail }
        if minutes < 60 { return "\(sign)\(minutes)m\(tail)" }
        return "\(sign)\(minutes / 60)h\(minutes % 60)m\(tail)"
    }

    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("ns", 1), ("us", 1_000), ("µs", 1_000), ("μs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000),
        ("m", 60_000_000_000), ("h", 3_600_000_000_000),
    ]

    private static func parseTerm(
        _ rest: inout Substring.UnicodeScalarView, whole: String
    ) throws(ConfigError) -> Int64 {
        var whole64: Int64 = 0
        var fraction: Int64 = 0
        var scale: Int64 = 1
        var digits = 0
        var seenPoint = false
        while let scalar = rest.first {
            if scalar == ".", !seenPoint {
                seenPoint = true
            } else if let digit = decimalDigit(scalar) {
                digits += 1
                if !seenPoint {
                    let (tens, first) = whole64.multipliedReportingOverflow(by: 10)
                    let (next, second) = tens.addingReportingOverflow(digit)
                    if first || second { throw tooLong(whole) }
                    whole64 = next
                } else if scale < 1_000_000_000_000_000 {
                    // Further digits are below a nanosecond even in hours.
                    fraction = fraction * 10 + digit
                    scale *= 10
                }
            } else {
                break
            }
            rest.removeFirst()
        }
        guard digits > 0 else { throw invalid(whole) }

        var name = ""
        while let scalar = rest.first, scalar != ".", decimalDigit(scalar) == nil {
            name.unicodeScalars.append(scalar)
            rest.removeFirst()
        }
        if name.isEmpty {
            throw ConfigError(
                "\(quoted(whole)) is a number without a unit",
                suggestion: "write for example \(whole64)s or \(whole64)m")
        }
        guard let unit = units.first(where: { $0.name == name }) else {
            throw ConfigError(
                "\(quoted(whole)) has the unknown unit \(quoted(name))", suggestion: "use ns, us, ms, s, m, h")
        }
        let (product, overflow) = whole64.multipliedReportingOverflow(by: unit.nanoseconds)
        if overflow { throw tooLong(whole) }
        let part = Int64(Double(fraction) * (Double(unit.nanoseconds) / Double(scale)))
        let (sum, overflowed) = product.addingReportingOverflow(part)
        if overflowed { throw tooLong(whole) }
        return sum
    }

    private static func decimalDigit(_ scalar: Unicode.Scalar) -> Int64? {
        ("0"..."9").contains(scalar) ? Int64(scalar.value - 48) : nil
    }

    private static func decimal(_ value: UInt64, per unit: UInt64) -> String {
        let fraction = value % unit
        guard fraction != 0 else { return "\(value / unit)" }
        var digits = String(fraction + unit).dropFirst()
        while digits.last == "0" { digits.removeLast() }
        return "\(value / unit).\(digits)"
    }

    private static func invalid(_ text: String) -> ConfigError {
        ConfigError("\(quoted(text)) is not a duration", suggestion: "write for example 30s, 1m30s or 500ms")
    }

    private static func tooLong(_ text: String) -> ConfigError {
        ConfigError("\(quoted(text)) is longer than a duration can be (about 292 years)")
    }
}
