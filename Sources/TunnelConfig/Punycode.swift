/// The two directions of RFC 3492 for one label, without the `xn--` prefix.
///
/// The encoder refuses by returning nil where the RFC says "fail"; arithmetic never traps.
enum Punycode {
    private static let base = 36
    private static let tMin = 1
    private static let tMax = 26
    private static let skew = 38
    private static let damp = 700
    private static let initialBias = 72
    private static let initialN = 128
    /// A DNS label has at most 63 octets, so longer input cannot become one and is not worth quadratic work.
    private static let longestLabel = 256

    static func encode(_ label: String) -> String? {
        let input = label.unicodeScalars.map { Int($0.value) }
        guard input.count <= longestLabel else { return nil }
        var output = label.unicodeScalars.filter(\.isASCII).map { Character($0) }
        let basic = output.count
        var handled = basic
        if basic > 0 { output.append("-") }
        var n = initialN
        var delta = 0
        var bias = initialBias
        while handled < input.count {
            guard let next = input.filter({ $0 >= n }).min() else { return nil }
            delta += (next - n) * (handled + 1)
            n = next
            for point in input {
                if point < n { delta += 1 }
                guard point == n else { continue }
                var q = delta
                var k = base
                while true {
                    let threshold = min(max(k - bias, tMin), tMax)
                    if q < threshold { break }
                    output.append(digit(threshold + (q - threshold) % (base - threshold)))
                    q = (q - threshold) / (base - threshold)
                    k += base
                }
                output.append(digit(q))
                bias = adapt(delta, points: handled + 1, first: handled == basic)
                delta = 0
                handled += 1
            }
            delta += 1
            n += 1
        }
        return String(output)
    }

    static func decode(_ label: String) -> String? {
        let scalars = Array(label.unicodeScalars)
        guard scalars.count <= longestLabel, scalars.allSatisfy(\.isASCII) else { return nil }
        var output: [Unicode.Scalar] = []
        var rest = scalars[...]
        if let hyphen = scalars.lastIndex(of: "-") {
            output = Array(scalars[..<hyphen])
            rest = scalars[(hyphen + 1)...]
        }
        var n = initialN
        var i = 0
        var bias = initialBias
        while !rest.isEmpty {
            let old = i
            var weight = 1
            var k = base
            while true {
                guard let scalar = rest.popFirst(), let value = value(scalar) else { return nil }
                let (add, first) = value.multipliedReportingOverflow(by: weight)
                let (sum, second) = i.addingReportingOverflow(add)
                if first || second { return nil }
                i = sum
                let threshold = min(max(k - bias, tMin), tMax)
                if value < threshold { break }
                let (product, third) = weight.multipliedReportingOverflow(by: base - threshold)
                if third { return nil }
                weight = product
                k += base
            }
            let count = output.count + 1
            bias = adapt(i - old, points: count, first: old == 0)
            let (sum, overflow) = n.addingReportingOverflow(i / count)
            if overflow { return nil }
            n = sum
            i %= count
            guard let code = UInt32(exactly: n), let scalar = Unicode.Scalar(code) else { return nil }
            output.insert(scalar, at: i)
            i += 1
        }
        var text = String.UnicodeScalarView()
        text.append(contentsOf: output)
        return String(text)
    }

    private static func adapt(_ delta: Int, points: Int, first: Bool) -> Int {
        var delta = first ? delta / damp : delta / 2
        delta += delta / points
        var k = 0
        while delta > ((base - tMin) * tMax) / 2 {
            delta /= base - tMin
            k += base
        }
        return k + (base - tMin + 1) * delta / (delta + skew)
    }

    private static func digit(_ value: Int) -> Character {
        let code = UInt8(truncatingIfNeeded: value < 26 ? value + 97 : value + 22)
        return Character(Unicode.Scalar(code))
    }

    private static func value(_ scalar: Unicode.Scalar) -> Int? {
        switch scalar {
        case "a"..."z": Int(scalar.value) - 97
        case "A"..."Z": Int(scalar.value) - 65
        case "0"..."9": Int(scalar.value) - 22
        default: nil
        }
    }
}
