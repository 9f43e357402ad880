/// The data types of SSH (RFC 4251 section 5), written one after another.
struct SSHBytes {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ number: UInt32) {
        bytes += withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    mutating func append(_ number: UInt64) {
        bytes += withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    mutating func append(string: some Collection<UInt8>) {
        append(UInt32(string.count))
        bytes += string
    }

    mutating func append(string: String) { append(string: Array(string.utf8)) }

    /// A positive number, given in big-endian bytes of any length.
    mutating func append(positive number: some Collection<UInt8>) {
        let digits = Array(number.drop { $0 == 0 })
        append(string: digits.first.map { $0 >= 0x80 } ?? false ? [0] + digits : digits)
    }
}

/// Reads them back. Every length is checked.
struct SSHReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func string() -> [UInt8]? {
        guard rest.count >= 4 else { return nil }
        let count = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard count <= rest.count - 4 else { return nil }
        let value = rest.dropFirst(4).prefix(count)
        rest = rest.dropFirst(4 + count)
        return Array(value)
    }
}
