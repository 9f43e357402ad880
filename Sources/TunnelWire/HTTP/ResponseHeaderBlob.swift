/// Why the value of `ControlHeader.responseHeaders` is not acceptable. The whole response is lost by it: answer 502.
package enum ResponseHeaderBlobError: Error, Equatable, Sendable {
    /// A field that is not a name and a value.
    case malformedField(index: Int)
    case invalidBase64(index: Int)
    /// Bytes that may not stand in a field name, such as a colon or a line end.
    case illegalName(index: Int)
    /// Bytes that may not stand in a field value, such as a line end.
    case illegalValue(index: Int)
    case tooManyFields(limit: Int)
}

extension ResponseHeaderBlobError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .malformedField(let index): "response header \(index) is not a name and a value"
        case .invalidBase64(let index): "response header \(index) is not base64"
        case .illegalName(let index): "response header \(index) has a name that is illegal in HTTP"
        case .illegalValue(let index): "response header \(index) has a value that is illegal in HTTP"
        case .tooManyFields(let limit): "more than \(limit) response headers"
        }
    }
}

/// The origin's response fields, packed into one field of the response to the edge (tunnel-protocol section 2.5):
/// `base64(name):base64(value)`, joined by `;`, without padding. The encoding can carry any byte, so what comes out of it is
/// checked before it gets near HTTP.
package enum ResponseHeaderBlob {
    /// Far above what any origin sends and any visitor takes.
    package static let maximumFields = 10_000

    /// Packs what may leave the connector, in order; see `isInternal`.
    package static func encode(_ headers: some Sequence<(name: String, value: String)>) -> String {
        var blob: [UInt8] = []
        for (name, value) in headers where !isInternal(name) {
            if !blob.isEmpty { blob.append(UInt8(ascii: ";")) }
            Base64.encode(name.utf8, to: &blob)
            blob.append(UInt8(ascii: ":"))
            Base64.encode(value.utf8, to: &blob)
        }
        return String(decoding: blob, as: UTF8.self)
    }

    /// Unpacks and checks. Values that are not UTF-8 have the bytes in question replaced.
    package static func decode(_ blob: String) throws(ResponseHeaderBlobError) -> [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        for field in Array(blob.utf8).split(separator: UInt8(ascii: ";")) {
            let index = headers.count
            guard index < maximumFields else { throw .tooManyFields(limit: maximumFields) }
            let parts = field.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw .malformedField(index: index) }
            guard let name = Base64.decode(parts[0]), let value = Base64.decode(parts[1]) else {
                throw .invalidBase64(index: index)
            }
            guard !name.isEmpty, name.allSatisfy(isTokenByte) else { throw .illegalName(index: index) }
            guard value.allSatisfy(isValueByte) else { throw .illegalValue(index: index) }
            headers.append((String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
        }
        return headers
    }

    /// Whether a field is talk between connector and edge, or no field of HTTP/1, and must not come from an origin.
    package static func isInternal(_ name: String) -> Bool {
        internalPrefixes.contains { prefix in
            name.utf8.count >= prefix.count
                && zip(name.utf8, prefix).allSatisfy { byte, expected in
                    byte == expected || (byte | 0x20 == expected && (0x41...0x5a).contains(byte))
                }
        }
    }

    private static let internalPrefixes = [":", "cf-int-", "cf-cloudflared-", "cf-proxy-"].map { Array($0.utf8) }

    /// RFC 9110 section 5.6.2.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default:
            false
        }
    }

    /// RFC 9110 section 5.5: no control character but the tab.
    private static func isValueByte(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x7f || byte == 0x09
    }
}
