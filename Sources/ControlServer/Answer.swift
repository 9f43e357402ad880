import ControlAPI
import EdgeStore
import Foundation
import Hummingbird
import Logging
import NIOCore
import TunnelConfig

/// A request that is answered with an error of the account API.
struct Refusal: Error {
    let status: HTTPResponse.Status
    let problem: APIProblem

    init(_ status: HTTPResponse.Status, code: Int, _ message: String) {
        self.status = status
        problem = APIProblem(code: code, message: message)
    }

    static func unauthorized(_ message: String) -> Refusal {
        Refusal(.unauthorized, code: 10000, "Authentication error: \(message)")
    }

    static func invalid(_ message: String) -> Refusal {
        Refusal(.badRequest, code: 1003, message)
    }

    static func notFound(_ message: String) -> Refusal {
        Refusal(.notFound, code: 1001, message)
    }
}

/// The account API's envelopes.
enum Answer {
    /// Status 200 always: the official client takes nothing else for success.
    static func success(_ result: some Encodable & Sendable, page: APIPage? = nil) throws -> Response {
        try response(.ok, APIEnvelope(success: true, result: result, page: page))
    }

    /// The page of a list that was asked for.
    ///
    /// - Parameter usualSize: of a page when the request names none; nil: the whole list.
    static func list<Item>(
        _ items: [Item], _ request: Request, usualSize: Int? = nil,
        _ shown: (Item) throws -> some Encodable & Sendable
    ) throws -> Response {
        let page = try PageQuery(Query(request), usualSize: usualSize ?? max(items.count, 1))
        let part = items.dropFirst(page.offset).prefix(page.size)
        return try success(try part.map(shown), page: page.info(count: part.count, total: items.count))
    }

    static func failure(_ error: any Error, logger: Logger) -> Response {
        let refusal = refusal(for: error, logger: logger)
        let envelope = APIEnvelope<APINothing>(success: false, errors: [refusal.problem], result: nil)
        return (try? response(refusal.status, envelope)) ?? Response(status: .internalServerError)
    }

    private static func refusal(for error: any Error, logger: Logger) -> Refusal {
        switch error {
        case let refusal as Refusal: return refusal
        case let error as StoreError:
            switch error.code {
            case .invalid: return Refusal.invalid(error.message)
            case .hostnameRefused: return Refusal(.badRequest, code: 1009, error.message)
            case .notFound: return Refusal.notFound(error.message)
            case .tunnelTaken: return Refusal(.conflict, code: 1013, error.message)
            case .networkTaken: return Refusal(.conflict, code: 1014, error.message)
            case .hostnameTaken: return Refusal(.conflict, code: 81053, error.message)
            case .conflict: return Refusal(.conflict, code: 1023, error.message)
            case .inUse: return Refusal(.badRequest, code: 1022, error.message)
            case .directoryUsed, .configuration, .unavailable, .broken:
                logger.error("Account API cannot use its store", metadata: ["error": "\(error)"])
                return Refusal(.serviceUnavailable, code: 1000, "the edge cannot use its database; see its log")
            }
        case let error as ConfigError: return Refusal.invalid("\(error)")
        case let error as HTTPError where error.status == .notFound:
            return Refusal.notFound("the account API has no such call; check --api-url, it ends in /client/v4")
        case let error as HTTPError:
            return Refusal(error.status, code: 1003, error.body ?? error.status.reasonPhrase)
        default:
            logger.error("Account API call failed", metadata: ["error": "\(error)"])
            return Refusal(.internalServerError, code: 1000, "the edge failed; see its log")
        }
    }

    private static func response(
        _ status: HTTPResponse.Status, _ envelope: APIEnvelope<some Encodable & Sendable>
    ) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let body = ByteBuffer(bytes: try encoder.encode(envelope))
        // Exactly this: a charset behind it keeps the official client from reading the reasons.
        var headers: HTTPFields = [.contentType: "application/json", .contentLength: String(body.readableBytes)]
        if status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
        headers[.cacheControl] = "no-store"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: body))
    }
}

extension ControlServer.Reply {
    init(_ response: Response) async {
        let collected = Collected()
        try? await response.body.write(CollectingWriter(into: collected))
        status = response.status.code
        headers = response.headers.map { ($0.name.rawName.lowercased(), $0.value) }
        body = collected.buffer
    }
}

/// The bodies are single buffers already; this only takes them out of their wrapping.
private final class Collected {
    var buffer = ByteBuffer()
}

private struct CollectingWriter: ResponseBodyWriter {
    let collected: Collected

    init(into collected: Collected) {
        self.collected = collected
    }

    mutating func write(_ buffer: ByteBuffer) {
        collected.buffer.writeImmutableBuffer(buffer)
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) {}
}
