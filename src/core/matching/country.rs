//! Countries, as far as numbers without one need them: how their telephone numbers are dialled.

/// A country by its ISO code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Country(&'static Dialling);

/// How numbers of a country are dialled (ITU-T E.164, national numbering plans).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dialling {
    /// ISO 3166-1, two letters.
    pub(super) code: &'static str,
    /// The country's number.
    pub(super) calling: &'static str,
    /// What is dialled before a national number, and is no part of it.
    pub(super) trunk: &'static str,
    /// What is dialled before a foreign country's number.
    pub(super) abroad: &'static str,
    /// The most digits of a national number.
    pub(super) digits_max: usize,
}

impl Country {
    /// The country with this code.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        let code = code.trim();
        COUNTRIES
            .iter()
            .find(|country| country.code.eq_ignore_ascii_case(code))
            .map(Self)
    }

    /// Its code, two letters.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code
    }

    /// Every code that there is.
    pub fn codes() -> impl Iterator<Item = &'static str> {
        COUNTRIES.iter().map(|country| country.code)
    }

    pub(super) const fn dialling(self) -> &'static Dialling {
        self.0
    }
}

impl std::fmt::Debug for Country {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.code)
    }
}

const fn country(
    code: &'static str,
    calling: &'static str,
    trunk: &'static str,
    abroad: &'static str,
    digits_max: usize,
) -> Dialling {
    Dialling {
        code,
        calling,
        trunk,
        abroad,
        digits_max,
    }
}

/// The countries that a rule may name. Those of one calling number stand in the order of size.
#[rustfmt::skip]
pub(super) const COUNTRIES: &[Dialling] = &[
    country("US", "1", "1", "011", 10),   country("CA", "1", "1", "011", 10),   country("PR", "1", "1", "011", 10),
    country("DO", "1", "1", "011", 10),   country("JM", "1", "1", "011", 10),   country("TT", "1", "1", "011", 10),
    country("RU", "7", "8", "810", 10),   country("KZ", "7", "8", "810", 10),
    country("EG", "20", "0", "00", 10),   country("ZA", "27", "0", "00", 9),    country("GR", "30", "", "00", 10),
    country("NL", "31", "0", "00", 9),    country("BE", "32", "0", "00", 9),    country("FR", "33", "0", "00", 9),
    country("ES", "34", "", "00", 9),     country("HU", "36", "06", "00", 9),   country("IT", "39", "", "00", 11),
    country("RO", "40", "0", "00", 9),    country("CH", "41", "0", "00", 9),    country("AT", "43", "0", "00", 13),
    country("GB", "44", "0", "00", 10),   country("DK", "45", "", "00", 8),     country("SE", "46", "0", "00", 10),
    country("NO", "47", "", "00", 8),     country("PL", "48", "", "00", 9),     country("DE", "49", "0", "00", 12),
    country("PE", "51", "0", "00", 9),    country("MX", "52", "01", "00", 10),  country("CU", "53", "0", "119", 8),
    country("AR", "54", "0", "00", 11),   country("BR", "55", "0", "00", 11),   country("CL", "56", "", "00", 9),
    country("CO", "57", "0", "00", 10),   country("VE", "58", "0", "00", 10),   country("MY", "60", "0", "00", 10),
    country("AU", "61", "0", "0011", 9),  country("ID", "62", "0", "001", 12),  country("PH", "63", "0", "00", 10),
    country("NZ", "64", "0", "00", 10),   country("SG", "65", "", "000", 8),    country("TH", "66", "0", "001", 9),
    country("JP", "81", "0", "010", 10),  country("KR", "82", "0", "00", 10),   country("VN", "84", "0", "00", 10),
    country("CN", "86", "0", "00", 11),   country("TR", "90", "0", "00", 10),   country("IN", "91", "0", "00", 10),
    country("PK", "92", "0", "00", 10),   country("LK", "94", "0", "00", 9),    country("IR", "98", "0", "00", 10),
    country("MA", "212", "0", "00", 9),   country("DZ", "213", "0", "00", 9),   country("TN", "216", "", "00", 8),
    country("SN", "221", "", "00", 9),    country("CI", "225", "", "00", 10),   country("NG", "234", "0", "009", 10),
    country("CV", "238", "", "0", 7),     country("AO", "244", "", "00", 9),    country("KE", "254", "0", "000", 9),
    country("MZ", "258", "", "00", 9),    country("GH", "233", "0", "00", 9),   country("PT", "351", "", "00", 9),
    country("LU", "352", "", "00", 11),   country("IE", "353", "0", "00", 9),   country("IS", "354", "", "00", 9),
    country("AL", "355", "0", "00", 9),   country("MT", "356", "", "00", 8),    country("CY", "357", "", "00", 8),
    country("FI", "358", "0", "00", 11),  country("BG", "359", "0", "00", 9),   country("LT", "370", "0", "00", 8),
    country("LV", "371", "", "00", 8),    country("EE", "372", "", "00", 8),    country("MD", "373", "0", "00", 8),
    country("AM", "374", "0", "00", 8),   country("BY", "375", "80", "810", 9), country("UA", "380", "0", "00", 9),
    country("RS", "381", "0", "00", 10),  country("ME", "382", "0", "00", 9),   country("HR", "385", "0", "00", 9),
    country("SI", "386", "0", "00", 8),   country("BA", "387", "0", "00", 9),   country("MK", "389", "0", "00", 8),
    country("CZ", "420", "", "00", 9),    country("SK", "421", "0", "00", 9),   country("LI", "423", "", "00", 9),
    country("GT", "502", "", "00", 8),    country("SV", "503", "", "00", 8),    country("HN", "504", "", "00", 8),
    country("NI", "505", "", "00", 8),    country("CR", "506", "", "00", 8),    country("PA", "507", "", "00", 8),
    country("BO", "591", "0", "00", 8),   country("EC", "593", "0", "00", 9),   country("PY", "595", "0", "00", 9),
    country("UY", "598", "0", "00", 8),   country("HK", "852", "", "001", 8),   country("MO", "853", "", "00", 8),
    country("BD", "880", "0", "00", 10),  country("TW", "886", "0", "002", 9),  country("LB", "961", "0", "00", 8),
    country("JO", "962", "0", "00", 9),   country("KW", "965", "", "00", 8),    country("SA", "966", "0", "00", 9),
    country("OM", "968", "", "00", 8),    country("AE", "971", "0", "00", 9),   country("IL", "972", "0", "00", 9),
    country("BH", "973", "", "00", 8),    country("QA", "974", "", "00", 8),    country("GE", "995", "0", "00", 9),
    country("UZ", "998", "", "00", 9),
];
