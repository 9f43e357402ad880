import Access
import Crypto
import Foundation

/// Values nobody can guess, and what is kept of them.
enum RandomText {
    /// Of the cookies that bind a login to a browser: 128 bits.
    static let cookieDigits = 32

    static func hex(bytes count: Int) -> String { hexadecimal(bytes(count)) }

    /// 256 bits for URLs.
    static func token() -> String { Base64URL.encode(bytes(32)) }

    static func sha256(_ text: String) -> String { hexadecimal(SHA256.hash(data: Data(text.utf8))) }

    static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func bytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}
