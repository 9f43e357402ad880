import ControlAPI
import Foundation
import Hummingbird

/// The query of a request, as Go's clients write it: `+` is a space.
struct Query {
    private let items: [URLQueryItem]

    init(_ request: Request) {
        var components = URLComponents()
        let query = request.uri.query ?? ""
        components.percentEncodedQuery = Self.isEncoded(query) ? query.replacingOccurrences(of: "+", with: "%20") : nil
        items = components.queryItems ?? []
    }

    /// The first value of that name; an empty one counts as absent.
    subscript(_ name: String) -> String? { all(name).first }

    func all(_ name: String) -> [String] {
        items.filter { $0.name == name }.compactMap(\.value).filter { !$0.isEmpty }
    }

    func bool(_ name: String) throws -> Bool? {
        switch self[name]?.lowercased() {
        case nil: nil
        case "true", "1": true
        case "false", "0": false
        default: throw Refusal.invalid("\(name) must be true or false")
        }
    }

    func int(_ name: String) throws -> Int? {
        guard let text = self[name] else { return nil }
        guard let value = Int(text) else { throw Refusal.invalid("\(name) must be a number") }
        return value
    }

    func uuid(_ name: String) throws -> UUID? {
        guard let text = self[name] else { return nil }
        guard let value = UUID(uuidString: text) else { throw Refusal.invalid("\(name) must be a UUID") }
        return value
    }

    /// Whether `URLComponents` takes the text as it is; what it does not take would stop the process.
    private static func isEncoded(_ query: String) -> Bool {
        let bytes = Array(query.utf8)
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "%"):
                guard index + 2 < bytes.count, isHex(bytes[index + 1]), isHex(bytes[index + 2]) else { return false }
                index += 3
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                index += 1
            case let byte where Array("-._~!$&'()*+,;=:@/?".utf8).contains(byte):
                index += 1
            default:
                return false
            }
        }
        return true
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }
}

/// Which page of a list a request asks for.
struct PageQuery {
    private static let largest = 1000

    /// From 1.
    let number: Int
    let size: Int

    /// - Parameter usualSize: when the request names none.
    init(_ query: Query, usualSize: Int) throws {
        number = max(1, try query.int("page") ?? 1)
        size = try query.int("per_page").map { min(max(1, $0), Self.largest) } ?? usualSize
    }

    /// How many items come before it.
    var offset: Int {
        let (offset, overflow) = (number - 1).multipliedReportingOverflow(by: size)
        return overflow ? .max : offset
    }

    func info(count: Int, total: Int) -> APIPage {
        APIPage(count: count, page: number, perPage: size, totalCount: total)
    }
}

extension Request {
    /// The body as JSON of a known shape.
    func json<Value: Decodable>(_ type: Value.Type) async throws -> Value {
        let buffer = try await body.collect(upTo: ControlServer.largestBody)
        do {
            return try JSONDecoder().decode(type, from: Data(buffer.readableBytesView))
        } catch {
            throw Refusal.invalid("the body is not the JSON object that this call takes")
        }
    }
}
