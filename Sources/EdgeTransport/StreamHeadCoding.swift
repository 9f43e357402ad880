import NIOCore
import NIOHPACK
import NIOHTTP1
import TunnelWire

/// Heads of streams as HTTP/2 fields and back (tunnel-protocol sections 2.2 to 2.5).
enum StreamHeadCoding {
    // MARK: Edge to connector

    static func fields(of request: StreamRequest) -> HPACKHeaders {
        var fields: HPACKHeaders = [
            ":method": request.method,
            ":scheme": "https",
            ":authority": request.authority,
            ":path": request.path,
        ]
        if let header = request.kind.header { fields.add(name: header.name, value: header.value) }
        for (name, value) in request.headers {
            let lowercased = name.lowercased()
            guard !isHopByHop(lowercased), !isInternal(lowercased) else { continue }
            fields.add(name: lowercased, value: value)
        }
        return fields
    }

    static func request(from fields: HPACKHeaders) -> StreamRequest? {
        guard let method = fields.first(name: ":method"), let path = fields.first(name: ":path") else { return nil }
        let kind = StreamKind(
            connectionUpgrade: fields.first(name: ControlHeader.connectionUpgrade),
            tcpSource: fields.first(name: ControlHeader.tcpSource))
        var headers = HTTPHeaders()
        for (name, value, _) in fields where !name.hasPrefix(":") && !isInternal(name) {
            headers.add(name: name, value: value)
        }
        return StreamRequest(
            kind: kind, method: method, path: path, authority: fields.first(name: ":authority") ?? "", headers: headers)
    }

    // MARK: Connector to edge

    static func fields(of response: StreamResponse, for kind: StreamKind) -> HPACKHeaders {
        var fields: HPACKHeaders = [":status": String(response.status == 101 ? 200 : response.status)]
        if kind == .controlStream || kind == .updateConfiguration {
            for (name, value) in response.headers { fields.add(name: name.lowercased(), value: value) }
            return fields
        }
        let pairs = response.headers.map { (name: $0.name, value: $0.value) }
        fields.add(name: ControlHeader.responseHeaders, value: ResponseHeaderBlob.encode(pairs))
        fields.add(name: ControlHeader.responseMeta, value: response.source.encoded)
        if let length = response.headers.first(name: "content-length") {
            fields.add(name: "content-length", value: length)
        }
        return fields
    }

    static func refusal(status: Int, flowRateLimited: Bool) -> HPACKHeaders {
        let source: ResponseMeta = flowRateLimited ? .flowRateLimited : .connector
        return [
            ":status": String(status),
            ControlHeader.responseMeta: source.encoded,
            "content-length": "0",
        ]
    }

    static func response(from fields: HPACKHeaders) -> Result<StreamResponse, LinkError> {
        guard let text = fields.first(name: ":status"), let status = Int(text) else {
            return .failure(LinkError(.streamRefused, "the connector's answer has no status"))
        }
        let source = fields.first(name: ControlHeader.responseMeta).flatMap(ResponseMeta.init(decoding:)) ?? .origin
        var headers = HTTPHeaders()
        if let blob = fields.first(name: ControlHeader.responseHeaders) {
            do {
                for (name, value) in try ResponseHeaderBlob.decode(blob) { headers.add(name: name, value: value) }
            } catch {
                return .failure(LinkError(.streamRefused, "the connector's header blob is malformed", cause: error))
            }
        }
        if let real = fields.first(name: "content-length"), let told = headers.first(name: "content-length"),
            real != told
        {
            return .failure(LinkError(.streamRefused, "the connector's two content lengths differ"))
        }
        return .success(StreamResponse(status: status, headers: headers, source: source))
    }

    // MARK: Size

    /// Whether a head may be sent to the peer.
    static func fits(_ fields: HPACKHeaders, _ limit: HeadLimit) -> Bool {
        let list = fields.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 32 }
        guard list <= limit.list else { return false }
        // Huffman codes have up to 30 bits; nearly every head is small enough not to need encoding twice.
        guard list > limit.frame / 4 else { return true }
        var encoder = HPACKEncoder(allocator: ByteBufferAllocator())
        var encoded = ByteBuffer()
        guard (try? encoder.encode(headers: fields, to: &encoded)) != nil else { return false }
        return encoded.readableBytes <= limit.frame
    }

    // MARK: Trailers

    static func trailers(_ trailers: HTTPHeaders) -> HPACKHeaders {
        var fields = HPACKHeaders()
        for (name, value) in trailers where !isHopByHop(name.lowercased()) {
            fields.add(name: name.lowercased(), value: value)
        }
        return fields
    }

    static func trailers(from fields: HPACKHeaders) -> HTTPHeaders {
        var trailers = HTTPHeaders()
        for (name, value, _) in fields where !name.hasPrefix(":") { trailers.add(name: name, value: value) }
        return trailers
    }

    /// Fields with which connector and edge talk to each other; never passed on.
    private static func isInternal(_ name: String) -> Bool {
        name.hasPrefix("cf-cloudflared-") || name.hasPrefix("cf-int-") || name.hasPrefix("cf-proxy-")
    }

    /// Fields that HTTP/2 forbids, besides `host`, which travels as `:authority`.
    private static func isHopByHop(_ name: String) -> Bool {
        switch name {
        case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "host", "te": true
        default: name.hasPrefix(":")
        }
    }
}
