import NIOHTTP1

/// The cookies of a request.
struct Cookies {
    enum Value: Hashable {
        case none
        case one(String)
        /// The same name with different values: somebody else has put one there, and nobody can say which.
        case conflicting

        var text: String? {
            if case .one(let text) = self { text } else { nil }
        }
    }

    static let authorization = "CF_Authorization"
    static let appSession = "CF_AppSession"
    static let session = "CF_Session"

    private var values: [String: Value] = [:]

    init(_ headers: HTTPHeaders) {
        for line in headers["cookie"] {
            for part in line.utf8.split(separator: UInt8(ascii: ";")) {
                let text = String(decoding: part, as: UTF8.self)
                guard let equals = text.firstIndex(of: "=") else { continue }
                let name = String(text[..<equals].drop { $0 == " " || $0 == "\t" })
                let value = String(text[text.index(after: equals)...])
                switch values[name, default: .none] {
                case .none: values[name] = .one(value)
                case .one(value), .conflicting: continue
                case .one: values[name] = .conflicting
                }
            }
        }
    }

    subscript(name: String) -> Value { values[name, default: .none] }

    /// A value that we made: so many random bytes in hexadecimal.
    func random(_ name: String) -> String? {
        guard let text = self[name].text, text.utf8.count == RandomText.cookieDigits, text.allSatisfy(\.isHexDigit)
        else { return nil }
        return text
    }
}

/// A `Set-Cookie` of ours: always for the host alone, over TLS only, with an end that the official client can read.
struct SetCookie {
    enum SameSite: String { case lax = "Lax", none = "None" }

    var name: String
    var value: String
    /// Seconds since 1970.
    var expires: Int
    var sameSite: SameSite

    var text: String {
        "\(name)=\(value); Path=/; Secure; HttpOnly; SameSite=\(sameSite.rawValue); Expires=\(HTTPDate.text(expires))"
    }

    /// Takes one away.
    static func removal(of name: String) -> SetCookie {
        SetCookie(name: name, value: "", expires: 0, sameSite: name == Cookies.authorization ? .lax : .none)
    }
}

/// The date format of HTTP (RFC 9110 section 5.6.7).
enum HTTPDate {
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    static func text(_ seconds: Int) -> String {
        let day = seconds / 86_400
        let second = seconds % 86_400
        // Days to a date of the Gregorian calendar, counted in eras of 400 years from March on.
        let shifted = day + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let year = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * year + year / 4 - year / 100)
        let month = (5 * dayOfYear + 2) / 153
        let date = dayOfYear - (153 * month + 2) / 5 + 1
        let name = months[(month + 2) % 12]
        let civilYear = year + era * 400 + (month >= 10 ? 1 : 0)
        let clock = [second / 3600, second / 60 % 60, second % 60].map(twoDigits).joined(separator: ":")
        return "\(weekdays[day % 7]), \(twoDigits(date)) \(name) \(civilYear) \(clock) GMT"
    }

    private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : String(number) }
}
