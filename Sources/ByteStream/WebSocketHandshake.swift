import Crypto

/// What both ends of a WebSocket upgrade compute (RFC 6455 section 4.2.2).
package enum WebSocketHandshake {
    /// The value of `Sec-WebSocket-Accept` that answers `Sec-WebSocket-Key`.
    package static func accept(forKey key: String) -> String {
        base64(Insecure.SHA1.hash(data: Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
    }

    /// A fresh value for `Sec-WebSocket-Key`.
    package static func makeKey() -> String {
        base64((0..<16).map { _ in UInt8.random(in: .min ... .max) })
    }

    /// RFC 4648, with padding.
    private static func base64(_ bytes: some Sequence<UInt8>) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(alphabet[Int(bits >> UInt32(count) & 0x3F)])
            }
        }
        if count > 0 { text.append(alphabet[Int(bits << UInt32(6 - count) & 0x3F)]) }
        while text.count % 4 != 0 { text.append(UInt8(ascii: "=")) }
        return String(decoding: text, as: UTF8.self)
    }
}
