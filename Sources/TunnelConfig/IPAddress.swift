/// An address, read strictly: four decimal bytes without leading zeros, or RFC 4291 text. Nothing that the system's older
/// parsers also take (`127.1`, `0x7f000001`, `0177.0.0.1`), because those are how allow-lists get fooled.
package struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    package let isV6: Bool
    /// An IPv4 address is in the low 32 bits.
    package let bits: UInt128

    package init(v4 bits: UInt32) {
        isV6 = false
        self.bits = UInt128(bits)
    }

    package init(v6 bits: UInt128) {
        isV6 = true
        self.bits = bits
    }

    package init?(_ text: some StringProtocol) {
        self.init(text, allowingZone: false)
    }

    /// With `allowingZone`, a `%zone` or `%25zone` at the end of an IPv6 address is accepted and dropped.
    init?(_ text: some StringProtocol, allowingZone: Bool) {
        guard text.utf8.count <= 100 else { return nil }
        var body = Substring(text)
        if allowingZone, let percent = body.firstIndex(of: "%") {
            guard body[percent...].utf8.count > 1 else { return nil }
            body = body[..<percent]
            guard body.contains(":") else { return nil }
        }
        if body.contains(":") {
            guard let bits = Self.parseV6(body) else { return nil }
            self.init(v6: bits)
        } else {
            guard let bits = Self.parseV4(body) else { return nil }
            self.init(v4: bits)
        }
    }

    /// The IPv4 address that an IPv4-mapped one (`::ffff:a.b.c.d`) reaches; any other address unchanged.
    package var unmapped: IPAddress {
        isV6 && bits >> 32 == 0xFFFF ? IPAddress(v4: UInt32(truncatingIfNeeded: bits)) : self
    }

    /// What one party has to be taken to hold, for counting: an IPv4 address, or the /64 network of an IPv6 one.
    package var network: IPAddress {
        let address = unmapped
        return address.isV6 ? IPAddress(v6: (address.bits >> 64) << 64) : address
    }

    package var description: String {
        guard isV6 else {
            return [24, 16, 8, 0].map { String((bits >> UInt128($0)) & 0xFF) }.joined(separator: ".")
        }
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: bits >> UInt128(112 - 16 * $0)) }
        var best = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > max(best.count, 1) { best = start..<end }
            start = max(end, start + 1)
        }
        func text(_ range: Range<Int>) -> String { range.map { String(groups[$0], radix: 16) }.joined(separator: ":") }
        return best.isEmpty ? text(0..<8) : text(0..<best.lowerBound) + "::" + text(best.upperBound..<8)
    }

    private static func parseV4(_ text: Substring) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bits: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (48...57).contains($0) }),
                part.utf8.count == 1 || part.utf8.first != 48, let byte = UInt8(part)
            else { return nil }
            bits = bits << 8 | UInt32(byte)
        }
        return bits
    }

    private static func parseV6(_ text: Substring) -> UInt128? {
        var body = text
        var tail: [UInt16] = []
        if let colon = body.lastIndex(of: ":"), body[colon...].contains(".") {
            guard let v4 = parseV4(body[body.index(after: colon)...]) else { return nil }
            tail = [UInt16(truncatingIfNeeded: v4 >> 16), UInt16(truncatingIfNeeded: v4)]
            body = body[...colon]
            // `1:2:` before the dotted part: drop its separator, keep a `::`.
            if !body.hasSuffix("::") { body.removeLast() }
        }
        let halves = split(body)
        guard let halves, let head = groups(halves.head) else { return nil }
        guard let second = halves.tail else {
            let all = head + tail
            return all.count == 8 ? join(all) : nil
        }
        guard let rest = groups(second) else { return nil }
        let missing = 8 - head.count - rest.count - tail.count
        guard missing >= 1 else { return nil }
        return join(head + Array(repeating: 0, count: missing) + rest + tail)
    }

    /// Cuts at the only `::`, if there is one. Nil when there are several.
    private static func split(_ text: Substring) -> (head: Substring, tail: Substring?)? {
        var cut: Substring.Index?
        var index = text.startIndex
        while index < text.endIndex {
            let next = text.index(after: index)
            if text[index] == ":", next < text.endIndex, text[next] == ":" {
                guard cut == nil else { return nil }
                cut = index
                index = text.index(after: next)
                if index < text.endIndex, text[index] == ":" { return nil }
            } else {
                index = next
            }
        }
        guard let cut else { return (text, nil) }
        return (text[..<cut], text[text.index(cut, offsetBy: 2)...])
    }

    private static func groups(_ text: Substring) -> [UInt16]? {
        if text.isEmpty { return [] }
        var result: [UInt16] = []
        for part in text.split(separator: ":", omittingEmptySubsequences: false) {
            guard (1...4).contains(part.utf8.count), part.utf8.first != 43, part.utf8.first != 45,
                let group = UInt16(part, radix: 16)
            else { return nil }
            result.append(group)
            if result.count > 8 { return nil }
        }
        return result
    }

    private static func join(_ groups: [UInt16]) -> UInt128 {
        groups.reduce(0) { $0 << 16 | UInt128($1) }
    }
}

/// A block of addresses, `10.0.0.0/8`. The bits after the prefix are ignored, as Go's and Linux's tools do.
package struct IPPrefix: Hashable, Sendable, CustomStringConvertible {
    package let address: IPAddress
    package let length: Int

    package init?(_ address: IPAddress, length: Int) {
        guard length >= 0, length <= (address.isV6 ? 128 : 32) else { return nil }
        let kept = Self.mask(length, of: address.isV6 ? 128 : 32) & address.bits
        self.address = address.isV6 ? IPAddress(v6: kept) : IPAddress(v4: UInt32(truncatingIfNeeded: kept))
        self.length = length
    }

    /// The block of one address.
    package init(single address: IPAddress) {
        self.address = address
        length = address.isV6 ? 128 : 32
    }

    /// `ADDRESS/LENGTH`; the length is required.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, (1...3).contains(parts[1].utf8.count),
            parts[1].utf8.allSatisfy({ (48...57).contains($0) }), let length = Int(parts[1]),
            let address = IPAddress(parts[0])
        else { return nil }
        self.init(address, length: length)
    }

    package func contains(_ other: IPAddress) -> Bool {
        other.isV6 == address.isV6
            && other.bits & Self.mask(length, of: address.isV6 ? 128 : 32) == address.bits
    }

    /// Whether every address of `other` is ours.
    package func contains(_ other: IPPrefix) -> Bool {
        other.length >= length && contains(other.address)
    }

    /// The IPv4 block that one inside `::ffff:0:0/96` maps; any other block unchanged.
    package var unmapped: IPPrefix {
        guard length >= 96, address.isV6, !address.unmapped.isV6 else { return self }
        return IPPrefix(address.unmapped, length: length - 96) ?? self
    }

    package var description: String { "\(address)/\(length)" }

    private static func mask(_ length: Int, of width: Int) -> UInt128 {
        guard length > 0 else { return 0 }
        let ones: UInt128 = width == 128 ? .max : UInt128(UInt32.max)
        return (ones << UInt128(width - length)) & ones
    }
}
