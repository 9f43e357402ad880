/// The path of a request as applications are looked up by it (access-protocol section 3.11), while its original bytes
/// are what is forwarded.
///
/// Spellings that RFC 3986 calls equivalent come to one form at once. Beyond that, origins differ: one resolves `..`,
/// another decodes twice, a third knows `;parameters`. So a path has all the *readings* that any of these steps, in any
/// order, lead to, and whoever guards paths guards a request by all of them. An ordinary path has one.
package struct CanonicalPath: Hashable, Sendable {
    /// The plain reading first. Each starts with `/`, as bytes, without a query.
    let readings: [[UInt8]]

    /// Bound what a hostile path costs: its length, and the readings with their bytes together.
    private static let longest = 8 << 10
    private static let mostReadings = 64
    private static let mostBytes = 32 << 10

    /// From a request target; the query does not count. Nil for a path that nobody can be sure of: without `/` in front,
    /// with a control byte, broken percent signs or UTF-8, or with more readings than is decent.
    package init?(_ target: some StringProtocol) {
        guard let plain = Self.plain(target.utf8) else { return nil }
        guard PathStep.mayChange(plain) else {
            readings = [plain]
            return
        }
        var found: Set<[UInt8]> = [plain]
        var readings = [plain]
        var bytes = plain.count
        var next = 0
        while next < readings.count {
            for step in PathStep.allCases {
                guard let reading = step(readings[next]) else { return nil }
                guard reading != readings[next], found.insert(reading).inserted else { continue }
                bytes += reading.count
                guard bytes <= Self.mostBytes, readings.count < Self.mostReadings else { return nil }
                readings.append(reading)
            }
            next += 1
        }
        self.readings = readings
    }

    /// Whether some origin could take this for `folder` or something below it, whatever the case of its letters. For
    /// paths that must never leave the edge, such as `/cdn-cgi/access` (section 3.3, step 4).
    package func mayBeBelow(_ folder: String) -> Bool {
        guard let path = ApplicationPath(folder) else { return true }
        return readings.contains { path.matches(folded: $0.map(foldedASCII)) }
    }

    /// Decodes what means the same encoded or not, writes other triplets in upper case.
    private static func plain(_ target: some Collection<UInt8>) -> [UInt8]? {
        let path = Array(target.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
        guard path.first == slash, path.count <= longest else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(path.count)
        var index = 0
        while index < path.count {
            guard path[index] == percent else {
                guard isPrintable(path[index]) else { return nil }
                result.append(path[index])
                index += 1
                continue
            }
            guard let byte = PercentTriplet.byte(in: path, at: index), isPrintable(byte) else { return nil }
            if isDelimiter(byte) { result += PercentTriplet.text(of: byte) } else { result.append(byte) }
            index += 3
        }
        return String(validating: result, as: UTF8.self) == nil ? nil : result
    }

    /// Reserved by RFC 3986 section 2.2, or read as such by somebody: encoded it may mean another thing than bare.
    private static func isDelimiter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "!"), UInt8(ascii: "#")...UInt8(ascii: "'"), UInt8(ascii: "(")...UInt8(ascii: ","),
            UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: ";"), UInt8(ascii: "="), UInt8(ascii: "?"),
            UInt8(ascii: "@"), UInt8(ascii: "["), UInt8(ascii: "\\"), UInt8(ascii: "]"):
            true
        default: false
        }
    }
}
